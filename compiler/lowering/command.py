"""Lower `command`, `workdir`, `reload.stop` and the lifecycle: the supervisor becomes the container's process.

The supervisor's arguments are a contract with `runtime/pod/supervisor.sh`. Never runs anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from devcfg.compiler.lowering.fragment import Bound, Fragment
from devcfg.schemas.config import Service
from devcfg.schemas.naming import BUSYBOX, HOME, SUPERVISOR, run_directory, seed_mark


def lower_command(bound: Bound) -> Fragment:
    """Start the supervisor in place of the image's process; `args` are always written, or the image's would stay."""
    service = bound.service
    targets = [rule.target for rule in service.sync]
    operations = [
        bound.set("command", [BUSYBOX, "sh", SUPERVISOR], "command"),
        bound.set("args", arguments(bound), "command"),
    ]
    # The kubelet creates a missing working directory, as root and inside the volume: only a mount is safe.
    if targets:
        operations.append(bound.set("workingDir", targets[0], "sync[0].target"))
    elif service.workdir:
        operations.append(bound.set("workingDir", service.workdir, "workdir"))
    # postStart goes: its program may not be in the dev image.
    quit_command = [BUSYBOX, "sh", "-c", f"echo quit 1<>{run_directory(bound.name)}/ctl"]
    operations.append(bound.set("lifecycle", {"preStop": {"exec": {"command": quit_command}}}, "command"))
    return Fragment(tuple(operations))


def arguments(bound: Bound) -> list[str]:
    """Return the supervisor's arguments in the pod."""
    seeds = [seed_mark(bound.name, rule.target) for rule in bound.service.sync if rule.seed == "image"]
    home = HOME if is_read_only(bound) else ""
    return supervisor_arguments(bound.service, directory=run_directory(bound.name), home=home, seeds=seeds)


def supervisor_arguments(
    service: Service,
    *,
    directory: str,
    home: str = "",
    seeds: Sequence[str] = (),
    commands: bool = True,
    place: Callable[[str], str] = str,
) -> list[str]:
    """Return the supervisor's arguments: options first, then the words of each command behind their number.

    `place` says where a path of the container is for whoever starts the supervisor. Without `commands` it idles, and
    neither waits for source nor starts anything, until the session says what to run.
    """
    workdir = service.workdir or (service.sync[0].target if service.sync else None)
    words = [f"--dir={directory}"]
    if workdir:
        words.append(f"--workdir={place(workdir)}")
    if home:
        words.append(f"--home={home}")
    if commands:
        words += [f"--wait={place(rule.target)}" for rule in service.sync]
    words += [f"--seeded={mark}" for mark in seeds]
    words += [f"--stop-signal={service.reload.stop.signal}", f"--grace={seconds(service.reload.stop.grace)}"]
    for mode, argv in (("build", service.command.build), ("run", service.command.run)):
        if argv and commands:
            words += [f"--{mode}={len(argv)}", *map(sheltered, argv)]
    return words


def sheltered(word: str) -> str:
    """Write a dollar sign that somebody on the way would read as `$~`; the supervisor reads it back.

    Kubernetes expands `$(VAR)` in arguments and takes `$$` for one; Flux does the same with braces.
    """
    return re.sub(r"\$(?=[{($~])", "$~", word)


def seconds(duration: str) -> str:
    """Turn `1m`, `2s` or `300ms` into decimal seconds."""
    if duration.endswith("ms"):
        whole, thousandths = divmod(round(float(duration[:-2])), 1000)
        return f"{whole}.{thousandths:03d}".rstrip("0").rstrip(".")
    if duration.endswith("m"):
        return f"{float(duration[:-1]) * 60:g}"
    return f"{float(duration[:-1]):g}"


def is_read_only(bound: Bound) -> bool:
    """Tell whether the container's root file system is read-only."""
    context = bound.witness.read(bound.at / "securityContext")
    return isinstance(context, dict) and context.get("readOnlyRootFilesystem") is True
