"""The command line of a session: `up`, and what is asked of one that runs. Never does the work itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from devcfg.runtime.options import TABLES, Command, File, Group, OutputOption, Service, Services, word
from devcfg.schemas.errors import UsageError

Raw = Annotated[
    bool, typer.Option("--raw", help="Log lines as they were printed, with the paths of the pod and their colours.")
]
session = typer.Typer(cls=Group, rich_markup_mode=None)


@session.command(cls=Command)
def up(
    *,
    services: Services = None,
    local: Annotated[
        bool, typer.Option("--local", help="No cluster: processes on this machine, their files in .devcfg/local.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept a new namespace; with --local, the commands that run here.")
    ] = False,
    events: Annotated[bool, typer.Option("--events", help="Print each event as a line of JSON on stdout.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Sync once and end; start nothing, restore nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Start under the debugger.")] = False,
    detached: Annotated[bool, typer.Option("--detach", help="Return when all is live; `down` ends it.")] = False,
    steal: Annotated[bool, typer.Option("--steal", help="Take over what another session holds.")] = False,
    node: Annotated[str, typer.Option(metavar="NODE", help="The pod of a DaemonSet to develop in.")] = "",
    raw: Raw = False,
    file: File = None,
) -> None:
    """Take services into dev mode: your source is in the pod, and every save is live.

    Ctrl-C restores; once more stops at once, and `devcfg down` restores. `devcfg.local.yaml` beside the config counts.
    """
    from devcfg.runtime.commands.up import Request
    from devcfg.runtime.commands.up import up as run

    request = Request(
        file,
        tuple(services or ()),
        local=local,
        yes=yes,
        events=events,
        once=once,
        dry_run=dry_run,
        debug=debug,
        detach=detached,
        steal=steal,
        node=node,
        raw=raw,
    )
    raise typer.Exit(run(request))


@session.command(cls=Command)
def down(
    *,
    services: Services = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything in the namespace that is in dev mode; needs no config.")
    ] = False,
    stale: Annotated[bool, typer.Option("--stale", help="Only what no session holds any more.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also what somebody else has taken.")] = False,
    file: File = None,
) -> None:
    """Restore workloads as they were before dev mode, from any machine, also after a crash.

    Nothing to restore is fine. Exit code 3 when what others changed meanwhile was kept.
    """
    from devcfg.runtime.commands.down import Request
    from devcfg.runtime.commands.down import down as run

    raise typer.Exit(run(Request(file, tuple(services or ()), everything, stale, yes)))


@session.command(cls=Command)
def rbac(
    *,
    services: Services = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Where neither config nor base names one.")
    ] = None,
    file: File = None,
) -> None:
    """Print the Role that a developer needs for this config, as YAML; optional rules are marked."""
    from devcfg.runtime.commands.rbac import rbac as run

    raise typer.Exit(run(file, tuple(services or ()), namespace))


@session.command(cls=Command)
def doctor(
    *,
    services: Services = None,
    output: OutputOption = "human",
    bundle: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write a zip for a bug report, private names taken out.")
    ] = None,
    file: File = None,
) -> None:
    """Say what would keep a session from working, each with a way to put it right. Changes nothing.

    What needs no cluster is looked at without one, too. Exit code 1 when a session would fail.
    """
    from devcfg.runtime.commands.doctor import doctor as run

    raise typer.Exit(run(file, tuple(services or ()), word("-o", output, TABLES), bundle))


@session.command(cls=Command)
def status(
    *,
    services: Services = None,
    output: OutputOption = "human",
    watch: Annotated[bool, typer.Option("--watch", help="Print it again whenever it has changed.")] = False,
    prompt: Annotated[bool, typer.Option("--prompt", help="A word a service, for a shell's prompt.")] = False,
    file: File = None,
) -> None:
    """Say how each service is. Exit code 3 when a conflict, halt or drift needs a decision."""
    from devcfg.runtime.commands.control import find
    from devcfg.runtime.commands.status import status as run

    output = word("-o", output, TABLES)
    raise typer.Exit(run(find(file, services or ()), output, watch=watch, prompt=prompt))


@session.command(cls=Command)
def run(*, service: Service = None, file: File = None) -> None:
    """Run `command.run` in the session that is up."""
    from devcfg.runtime.commands.control import steer

    raise typer.Exit(steer(file, service, "run"))


@session.command(cls=Command)
def debug(
    *,
    service: Service = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Live until Ctrl-C, which goes back to `command.run`: for an editor's task.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Where no session is up: start one without a cluster.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="As of `up`, where no session is up.")] = False,
    output: OutputOption = "human",
    file: File = None,
) -> None:
    """Put the dev process under its debugger; return when that answers.

    Where no session is up, one starts in the background. Without `command.debug` it is made of `command.run`, where
    that is safe. `devcfg run` goes back.
    """
    from devcfg.runtime.commands.control import Way
    from devcfg.runtime.commands.control import debug as run

    raise typer.Exit(run(file, service, word("-o", output, TABLES), Way(stay, local, yes)))


@session.command(cls=Command)
def stop(*, service: Service = None, file: File = None) -> None:
    """End the dev process; the session stays."""
    from devcfg.runtime.commands.control import steer

    raise typer.Exit(steer(file, service, "stop"))


@session.command(cls=Command)
def restart(*, service: Service = None, file: File = None) -> None:
    """Build and start the dev process anew."""
    from devcfg.runtime.commands.control import steer

    raise typer.Exit(steer(file, service, "restart"))


@session.command(cls=Command)
def logs(
    *,
    services: Services = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    raw: Raw = False,
    file: File = None,
) -> None:
    """Print what the dev processes have printed, also where nobody here has a session."""
    from devcfg.runtime.commands.logs import logs as run

    raise typer.Exit(run(file, tuple(services or ()), follow=follow, raw=raw))


@session.command(cls=Command)
def test(*, service: Service = None, file: File = None) -> None:
    """Run `command.test` beside the dev process; its exit code is the command's."""
    from devcfg.runtime.commands.beside import test as run

    raise typer.Exit(run(file, service))


@session.command(cls=Command)
def shell(*, service: Service = None, file: File = None) -> None:
    """Open a shell beside the dev process."""
    from devcfg.runtime.commands.beside import shell as run

    raise typer.Exit(run(file, service))


@session.command(name="exec", cls=Command)
def execute(
    *,
    words: Annotated[
        list[str], typer.Argument(metavar="[SERVICE] -- COMMAND...", help="The command, after the service.")
    ],
    file: File = None,
) -> None:
    """Run a command beside the dev process: `devcfg exec reviews -- env`."""
    from devcfg.runtime.commands.beside import execute as run
    from devcfg.runtime.commands.control import find

    named = len(words) > 1 and words[0] in find(file).known
    raise typer.Exit(run(file, words[0] if named else None, words[1:] if named else words))


sync = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None, help="Ask and steer sync in the session.")
session.add_typer(sync, name="sync")


@sync.command(name="status", cls=Command)
def sync_status(*, services: Services = None, output: OutputOption = "human", file: File = None) -> None:
    """Say how each sync rule is. Exit code 3 when a conflict or halt needs a decision."""
    raise typer.Exit(_sync("status", file, services, output))


@sync.command(cls=Command)
def flush(*, services: Services = None, output: OutputOption = "human", file: File = None) -> None:
    """Return when both sides agree; exit code 3 when they agree but for conflicts."""
    raise typer.Exit(_sync("flush", file, services, output))


@sync.command(cls=Command)
def conflicts(*, services: Services = None, output: OutputOption = "human", file: File = None) -> None:
    """List the paths that were changed on both sides. Exit code 3 when there are any."""
    raise typer.Exit(_sync("conflicts", file, services, output))


@sync.command(cls=Command)
def resolve(
    *,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[SERVICE] PATH...", help="Paths as `sync conflicts` lists them; `.` ends a halt."),
    ],
    local: Annotated[bool, typer.Option("--local", help="What is here is right.")] = False,
    remote: Annotated[bool, typer.Option("--remote", help="What is on the remote side is right.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Keep both: the remote one beside the one here.")] = False,
    output: OutputOption = "human",
    file: File = None,
) -> None:
    """End conflicts by saying which side is right."""
    sides = [name for name, given in (("local", local), ("remote", remote), ("both", both)) if given]
    if len(sides) != 1:
        raise UsageError("`sync resolve` wants one of `--local`, `--remote`, `--both`")
    service, paths = _service_first(file, words)
    raise typer.Exit(_sync("resolve", file, None, output, service=service, paths=paths, side=sides[0]))


@sync.command(cls=Command)
def why(
    *,
    words: Annotated[list[str], typer.Argument(metavar="[SERVICE] PATH", help="A path below the rule's directory.")],
    output: OutputOption = "human",
    file: File = None,
) -> None:
    """Say why a path is synced, or why it is not."""
    service, paths = _service_first(file, words)
    if len(paths) != 1:
        raise UsageError("`sync why` wants one path")
    raise typer.Exit(_sync("why", file, None, output, service=service, path=paths[0]))


def _service_first(file: str | None, words: list[str]) -> tuple[str | None, list[str]]:
    """Take the first word for the service, unless the config has only one and it is another."""
    from devcfg.runtime.commands.control import find, find_one

    known = find(file).known
    if len(known) == 1 and words[0] not in known:
        return known[0], words
    _, service = find_one(file, words[0])
    if len(words) == 1:
        raise UsageError("which path?", hint="name one below the rule's directory, after the service")
    return service, words[1:]


def _sync(verb: str, file: str | None, services: list[str] | None, output: str, **members: Any) -> int:
    from devcfg.runtime.commands.control import find
    from devcfg.runtime.commands.control import sync as run

    return run(find(file, services or ()), verb, word("-o", output, TABLES), **members)
