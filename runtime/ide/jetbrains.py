"""Run configurations for JetBrains' editors: one file in `.run/` for each service. Never reads or writes them."""

from __future__ import annotations

import re
from html import escape

from devcfg.runtime.ide.entries import HOST, Adapter, Attach, Untold
from devcfg.runtime.ide.merge import OURS

FOLDER = ".run"
PROJECT = "$PROJECT_DIR$"
NAME = re.compile(r"devcfg-([a-z0-9-]+)\.run\.xml")
"""The name of a file of ours; the service stands in it."""
_OURS = re.compile(rf'<configuration\b[^>]*\bname="{OURS}')


def file_name(service: str) -> str:
    """Return the name of a service's file."""
    return f"devcfg-{service}.run.xml"


def is_ours(text: str) -> bool:
    """Tell whether a file holds a run configuration of ours."""
    return _OURS.search(text) is not None


def configuration(one: Attach) -> str | Untold:
    """Return the run configuration that attaches to a service; where JetBrains' form is not known, why not."""
    server = {"host": HOST, "port": str(one.port)}
    match one.adapter:
        case Adapter.PYTHON:
            # The client of DAP in PyCharm 2025.3; older ones are dialled by the process, which wants a tunnel.
            mappings = [
                _tag("mapping", **{"local-root": each.under(PROJECT), "remote-root": each.remote})
                for each in one.mappings
            ]
            roots = _around("PathMappingSettings", _around("option", _around("list", *mappings), name="pathMappings"))
            return _file(one, "PythonDapAttachConfiguration", {}, _option("remoteAddress", one.address), roots)
        case Adapter.GO:
            # LEAVE: the service goes on when the editor lets go of it.
            leave = (_option("disconnectOption", "LEAVE"), _tag("disconnect", value="LEAVE"))
            return _file(one, "GoRemoteDebugConfigurationType", {"factoryName": "Go Remote", **server}, *leave)
        case Adapter.NODE:
            wanted = {"factoryName": "Chromium Remote", **server, "restartOnDisconnect": "true"}
            return _file(one, "ChromiumRemoteDebugType", wanted)
        case Adapter.JAVA:
            options = {"USE_SOCKET_TRANSPORT": "true", "SERVER_MODE": "false", "HOST": HOST, "PORT": str(one.port)}
            inner = [_option(name, value) for name, value in {**options, "AUTO_RESTART": "true"}.items()]
            runner = _option("DEBUG_PORT", str(one.port)), _option("LOCAL", "false")
            inner.append(_around("RunnerSettings", *runner, RunnerId="Debug"))
            return _file(one, "Remote", {"factoryName": "Remote"}, *inner)
        case Adapter.GDB:
            wanted = {"version": "1", "remoteCommand": one.address, "symbolFile": f"{PROJECT}/{one.program}"}
            mapped = [_tag("pathMapping", remote=each.remote, local=each.under(PROJECT)) for each in one.mappings]
            return _file(one, "CLion_Remote", {**wanted, "sysroot": ""}, _tag("debugger", kind="GDB"), *mapped)
        case Adapter.PHP:
            # Its form names a server, whose path mappings stand in the workspace, which is nobody's to write.
            hint = f"make {one.port} a port of Xdebug in its settings, and have it listen: it asks for the mappings"
            return Untold(one.service, "PhpStorm keeps path mappings outside of run configurations", hint)
        case Adapter.LLDB:
            hint = "with `debug.adapter: gdb` there is one, which attaches to gdbserver"
            return Untold(one.service, "CLion's form of an entry for lldb is not known", hint)
        case Adapter.RUBY:
            return Untold(
                one.service, "JetBrains' form of an entry for Ruby is not known", "attach to its port by hand"
            )


def _file(one: Attach, kind: str, attributes: dict[str, str], *inner: str) -> str:
    named = {"default": "false", "name": f"{OURS}attach {one.service}", "type": kind, **attributes}
    configured = _around("configuration", *inner, _tag("method", v="2"), **named)
    return _around("component", configured, name="ProjectRunConfigurationManager") + "\n"


def _option(name: str, value: str) -> str:
    return _tag("option", name=name, value=value)


def _tag(tag: str, **attributes: str) -> str:
    return f"<{_head(tag, attributes)} />"


def _around(tag: str, *inner: str, **attributes: str) -> str:
    """Return an element with others in it, each of their lines two deeper."""
    lines = [f"  {line}" for one in inner for line in one.split("\n")]
    return "\n".join([f"<{_head(tag, attributes)}>", *lines, f"</{tag}>"])


def _head(tag: str, attributes: dict[str, str]) -> str:
    return tag + "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
