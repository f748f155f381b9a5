"""What somebody may attach to a bug report: findings and config without what is private. Never reads a kubeconfig.

Redacted by what is let through, not by what is taken out: of the config, the values of a few fields that hold no
secret; of its diagnostics, codes and places. What others say, such as an API server that refuses a pod, may quote any
value: those that are hidden in the config are hidden there, too. Names of this user, machine and cluster become words.
"""

from __future__ import annotations

import getpass
import io
import json
import os
import re
import socket
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from devcfg.compiler.document import to_json
from devcfg.runtime.checkup.finding import Finding
from devcfg.runtime.cluster.cluster import Identity
from devcfg.runtime.files import write_atomically
from devcfg.runtime.workspace import Workspace

HIDDEN = "…"
SHOWN = frozenset((
    "version", "base", "workload", "container", "image", "mode", "path", "target", "write", "seed", "gitignore",
    "adapter", "port", "wait", "ports", "reverse", "reload", "on", "replicas", "user", "probes", "size",
    "workdir", "imagePullPolicy",
))  # fmt: skip
"""Fields of the config whose values are shown: what a bug report needs, and nobody keeps a secret in."""
SEALED = frozenset(("env", "command", "patches", "value"))
"""Fields below which a name says nothing: what is called `path` there may be the user's own."""
OPENED = frozenset((("patches", "op"), ("patches", "path")))
"""What is shown below a sealed field all the same."""
SHORTEST = 3
"""Characters of a hidden value that is hidden in words, too: what is shorter stands in every sentence."""
_MOMENT = (1980, 1, 1, 0, 0, 0)


def write_bundle(path: str, found: Iterable[Finding], workspace: Workspace | None, identity: Identity | None) -> None:
    """Write a zip file with the findings, and the config where there is one. Raises `OSError`."""
    words = private_words(identity)
    config = workspace.parsed.document.value if workspace is not None else {}
    hidden = dict.fromkeys(hidden_words(config), HIDDEN)
    checks = [
        {key: redacted(value, hidden) if key in ("words", "fix") else value for key, value in one.to_json().items()}
        for one in (one.unquoted() for one in found)
    ]
    files: dict[str, Any] = {"doctor.json": {"version": 1, "checks": checks}}
    if workspace is not None:
        files["devcfg.json"] = shown_only(to_json(config))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            text = redacted(json.dumps(value, indent=2, ensure_ascii=False) + "\n", words)
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), text)
    write_atomically(path, data.getvalue(), private=True)


def shown_only(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Return a config with every value hidden whose field is not one of those that are shown; keys stay."""
    if isinstance(value, dict):
        return {name: shown_only(one, (*path, name)) for name, one in value.items()}
    if isinstance(value, list):
        return [shown_only(one, path) for one in value]
    return value if value is None or _is_shown(path) else HIDDEN


def hidden_words(value: Any, path: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the values that `shown_only` hides, and their words: a message may quote a part of a command."""
    if isinstance(value, dict):
        return frozenset[str]().union(*(hidden_words(one, (*path, str(name))) for name, one in value.items()))
    if isinstance(value, list):
        return frozenset[str]().union(*(hidden_words(one, path) for one in value))
    if value is None or _is_shown(path):
        return frozenset()
    text = str(value)
    found = {text, json.dumps(text)[1:-1], *text.splitlines(), *_WORD.findall(text)}
    return frozenset(one for one in found if len(one) >= SHORTEST)


_WORD = re.compile(r"""[^\s'"`=;,]+""")


def _is_shown(path: tuple[str, ...]) -> bool:
    if path[-2:] in OPENED:
        return not SEALED & set(path[:-2])
    return path[-1:] != () and path[-1] in SHOWN and not SEALED & set(path)


def private_words(identity: Identity | None) -> Mapping[str, str]:
    """Return what is replaced, and by what."""
    found = {os.path.expanduser("~"): "~", getpass.getuser(): "USER", socket.gethostname(): "HOST"}
    if identity is not None:
        server = urlsplit(identity.server).hostname or identity.server
        found |= {server: "SERVER", identity.context: "CONTEXT", identity.user: "USER", identity.namespace: "NAMESPACE"}
    return {word: instead for word, instead in found.items() if len(word) > 1}


def redacted(text: str, words: Mapping[str, str]) -> str:
    """Return a text without these words; a word in the middle of another one is none, one after an escape is."""
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?:(?<![\w-])|(?<=\\[nrt])){re.escape(word)}(?![\w-])", words[word], text)
    return text
