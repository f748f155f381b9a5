"""Builds a kustomize base with kubectl or kustomize, and keeps the result. The one place that starts a process.

Never needs a kubeconfig, nor lets the program see one.
"""

from __future__ import annotations

import json
import os
import re
import stat
from hashlib import sha256

from devcfg.runtime.files import write_atomically
from devcfg.runtime.reach import Reach, digest_of, kustomization_of, reach_of
from devcfg.schemas.diagnostic import Diagnostic
from devcfg.schemas.errors import BaseError
from devcfg.schemas.manifest import Manifest

TOOLS = {"kubectl": "kustomize", "kustomize": "build"}
"""The programs that can build, the best first, each with its verb."""
TIMEOUT = 120
"""Seconds that a build may take."""
FORMAT = "2"
"""The version of what is kept: it counts for the key."""
KEPT = 64
"""How many builds are kept."""

Row = tuple[dict[str, object], str, int]


def build(folder: str) -> tuple[Manifest, ...]:
    """Return the built objects of a kustomization with their places, as seen from here. Raises `BaseError`."""
    name, program = _find_tool(folder)
    reach = reach_of(folder)
    for path in reach.special:
        words = f"`{os.path.relpath(path, os.path.realpath(folder))}` is neither a file nor a directory"
        raise _failed(name, folder, words)
    key = digest_of(reach, folder, FORMAT, *_identity(program))
    entry = os.path.join(cache_home(), "base", f"{key}.json")
    rows = _load(entry) if key is not None else None
    if rows is None:
        rows = _rows(_run(name, program, folder), reach, folder)
        if key is not None:
            _store(entry, rows)
    return tuple(Manifest(value, _place(folder, file), line) for value, file, line in rows)


def cache_home() -> str:
    """Return our directory for what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(home if os.path.isabs(home) else os.path.expanduser("~/.cache"), "devcfg")


def _find_tool(folder: str) -> tuple[str, str]:
    # Not shutil.which, whose module costs every command more than this look.
    for name in TOOLS:
        for place in os.get_exec_path():
            path = os.path.join(place, name)
            if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK):
                return name, path
    message = f"`{folder}` is a kustomization, and neither kubectl nor kustomize is on the PATH"
    hint = "install one of them, or point `base` at plain YAML"
    raise BaseError((Diagnostic("base-tool", message, hint=hint, file=folder),))


def _identity(program: str) -> tuple[str, ...]:
    """Name the very program without running it: asking for its version takes longer than all the rest."""
    path = os.path.realpath(program)
    state = os.stat(path)
    return path, str(state.st_size), str(state.st_mtime_ns)


def _run(name: str, program: str, folder: str) -> str:
    import subprocess

    real = os.path.realpath(folder)
    try:
        done = subprocess.run(
            [program, TOOLS[name], real],
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "KUBECONFIG": os.devnull},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        words = f"took longer than {TIMEOUT} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise _failed(name, folder, words) from error
    if done.returncode != 0:
        raise _failed(name, folder, _reason(done.stderr.decode(errors="replace"), real, folder))
    return done.stdout.decode(errors="replace")


_LOGGED = re.compile(r'[A-Z]\d{4} [\d:.]+ +\d+ \S+\] "command failed" err="(.*)"\Z')
"""kubectl's own log line, with a clock and a process number: only what it quotes is for people."""
_ABSOLUTE = re.compile(r"(?<![\w.~:/-])/[^\s'\"`:,;()]+")
_MISSING = re.compile(r"(?:lstat|open|stat) (\S+): no such file or directory")


def _reason(said: str, real: str, folder: str) -> str:
    """Return the line that says what is wrong, paths as seen from here."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = next((one for one in reversed(lines) if one.lower().startswith("error:")), lines[-1] if lines else "")
    line = line[len("error:") :].strip() if line.lower().startswith("error:") else line
    if (logged := _LOGGED.match(line)) is not None:
        line = logged[1].replace('\\"', '"')
    line = _ABSOLUTE.sub(lambda found: _from_here(found[0], real, folder), line)
    missing = _MISSING.search(line)
    if missing is not None and "git" not in line and ":/" not in missing[1]:
        return f"there is no `{missing[1]}`"
    return line if len(line) <= 500 else f"{line[:240]} … {line[-250:]}"


def _from_here(path: str, real: str, folder: str) -> str:
    """Return a path of this machine as the user sees it; what is not there, and URLs, stay as they are."""
    if path == real or path.startswith(real + "/"):
        return folder + path[len(real) :]
    return os.path.relpath(path, os.path.realpath(".")) if path != "/" and os.path.lexists(path) else path


def _failed(name: str, folder: str, words: str) -> BaseError:
    hint = f"`{name} {TOOLS[name]} {folder}` says the same"
    place = kustomization_of(folder) or folder
    return BaseError((Diagnostic("base-build", f"the base does not build: {words}", hint=hint, file=place),))


def _rows(text: str, reach: Reach, folder: str) -> tuple[Row, ...]:
    from devcfg.compiler.manifests import read_manifests
    from devcfg.runtime.origins import locate, relative

    return relative(locate(read_manifests(text, file=folder), reach.resources), folder)


def _place(folder: str, file: str) -> str:
    return os.path.normpath(os.path.join(folder, file)) if file else folder


def _load(entry: str) -> tuple[Row, ...] | None:
    """Return a build that was kept; None where there is none, or it is not as we wrote it.

    A file of another user, or one that others may write, counts for nothing: XDG_CACHE_HOME may be anywhere.
    """
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
            return None
        digest, _, text = file.read().partition(b"\n")
    if digest.decode(errors="replace") != sha256(text).hexdigest():
        return None
    return tuple((value, file, line) for value, file, line in json.loads(text))


def _store(entry: str, rows: tuple[Row, ...]) -> None:
    """Keep a build, readable for its owner alone. A cache that cannot be written is no reason to fail."""
    try:
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        digest = sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        write_atomically(entry, f"{digest}\n{text}", private=True)
        folder = os.path.dirname(entry)
        kept = sorted((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getmtime)
        for old in kept[:-KEPT]:
            os.unlink(old)
    except OSError:
        return
