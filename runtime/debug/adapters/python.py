"""debugpy, for Python: DAP on a port that the process itself opens. Never put into a process by its environment."""

from __future__ import annotations

import re
from posixpath import dirname, join

from devcfg.runtime.debug.adapters.adapter import HOST, Adapter, Advice, Asking, Signs, Speaks, Wish, Written
from devcfg.runtime.debug.adapters.words import Words, take_apart, without

_PYTHON = re.compile(r"python(\d(\.\d+)?)?")
_MODULES = ("uvicorn", "flask", "hypercorn", "daphne", "fastapi")
"""Programs that are a module of their name, too."""
_FORKING = ("gunicorn", "celery", "uwsgi", "hupper", "watchmedo", "watchfiles", "honcho", "supervisord")
_VALUED = ("-X", "-W", "--check-hash-based-pycs")
_DEBUGPY = ("-Xfrozen_modules=off", "-m", "debugpy")
_RELOADERS = ("--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay", "--workers", "--extra-files")


def _rewrite(words: Words, wish: Wish) -> Written | Advice:
    started = take_apart(words)
    if started is None:
        return _advice(wish, "what it starts is not to be seen")
    if started.name in _FORKING:
        return _advice(wish, f"`{started.name}` works in other processes than its own")
    if started.name in _MODULES:
        python = join(dirname(started.program), "python3")
        return _under((*started.before, python), ("-m", started.name, *started.words), wish)
    if not _PYTHON.fullmatch(started.name):
        return _advice(wish, f"`{started.program}` is no Python that is seen to be one")
    at = 0
    while at < len(started.words) and started.words[at].startswith("-") and started.words[at] not in ("-m", "-c", "-"):
        at += 2 if started.words[at] in _VALUED else 1
    options, rest = started.words[:at], started.words[at:]
    if not rest or rest[0] == "-":
        return _advice(wish, "it reads its program from a terminal")
    if rest[0] in ("-m", "-c") and len(rest) < 2:
        return _advice(wish, f"nothing follows `{rest[0]}`")
    if rest[0] == "-m" and rest[1] in _FORKING:
        return _advice(wish, f"`{rest[1]}` works in other processes than its own")
    return _under((*started.before, started.program, *options), rest, wish)


def _under(python: Words, rest: Words, wish: Wish) -> Written:
    single = _single(rest)
    notes = () if single == rest else ("its own reloading and its workers are left out: one process is debugged",)
    listen = (*_DEBUGPY, "--listen", f"{HOST}:{wish.port}")
    return Written((*python, *listen, *(("--wait-for-client",) if wish.wait else ()), *single), notes)


def _single(rest: Words) -> Words:
    """Leave out what makes a server fork: a reloader, workers."""
    name, at = (rest[1], 2) if rest[0] == "-m" else (rest[0], 1)
    head, words = rest[:at], rest[at:]
    if name in ("uvicorn", "hypercorn", "fastapi"):
        words = without(words, flags=("--reload",), valued=_RELOADERS)
        return (*head, *words, *(("--no-reload",) if name == "fastapi" and words[:1] == ("dev",) else ()))
    if name == "flask" and "run" in words:
        words = without(words, flags=("--reload",), valued=("--extra-files",))
        return (*head, *words, *(() if "--no-reload" in words else ("--no-reload",)))
    if name.endswith("manage.py") and words[:1] == ("runserver",) and "--noreload" not in words:
        return (*head, *words, "--noreload")
    return rest


def _brought(command: Words, directory: str) -> Words:
    """Run the directory of the package: it finds itself, and the program finds what it would without it."""
    at = next(at for at in range(len(command)) if command[at : at + len(_DEBUGPY)] == _DEBUGPY)
    return (*command[: at + 1], directory, *command[at + len(_DEBUGPY) :])


def _advice(wish: Wish, reason: str) -> Advice:
    wait = ", --wait-for-client" if wish.wait else ""
    return Advice(reason, f"[python, -Xfrozen_modules=off, -m, debugpy, --listen, {HOST}:{wish.port}{wait}, app.py]")


def _asking(_: Words) -> Asking:
    return Asking.DAP


ADAPTER = Adapter(
    name="python",
    debugger="debugpy",
    port=5678,
    needs="the package `debugpy` in the container's Python: `pip install debugpy`",
    signs=Signs(
        debugger=r"debugpy|pydevd|ptvsd",
        program=rf"{_PYTHON.pattern}|{'|'.join((*_MODULES, *_FORKING, 'django-admin', 'pytest', 'manage[.]py'))}",
        image=r"python|pypy|.*-python",
        files=r"pyproject\.toml|requirements.*\.txt|setup\.py|setup\.cfg|Pipfile|manage\.py|uv\.lock|poetry\.lock|.*\.py",
    ),
    ports=re.compile(r"--listen[ =](?:\S*:)?(\d+)(?![\d.:])"),
    announces=None,
    missing=re.compile(r"No module named '?debugpy"),
    speaks=Speaks.DAP,
    rewrite=_rewrite,
    asking=_asking,
    brought=_brought,
)
