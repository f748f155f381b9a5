"""The command line: words in, one verb called, an exit code out. Never does the work itself.

Every command imports what it needs when it runs, so that `--help` and `validate` stay quick.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

# Read by typer when it is imported: without it the whole of rich comes along.
os.environ.setdefault("TYPER_USE_RICH", "0")

import typer

from devcfg.runtime.options import BaseOption, Command, File, Group, Local, Services, word
from devcfg.schemas.errors import DevcfgError

REPORTS = ("human", "json", "sarif", "github")
OF_FILES = ("validate", "render", "diff", "explain", "schema", "ide", "demo")
EDITORS = ("vscode", "jetbrains", "nvim")
FORMATS = ("plain", "component", "json-patch", "inverse")

app = typer.Typer(
    name="devcfg",
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dev mode for Kubernetes as files: a small devcfg.yaml and your manifests in, kustomize files or objects out.",
)


def _say_version(wanted: bool) -> None:  # noqa: FBT001  as typer calls it
    if wanted:
        from devcfg.runtime import console
        from devcfg.runtime.release import version

        console.data(f"devcfg {version()}\n")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(cls=Command)
def validate(
    *,
    services: Services = None,
    file: File = None,
    base: BaseOption = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="|".join(REPORTS), help="How to say it; all but `human` go to stdout."),
    ] = "human",
) -> None:
    """Check the config against the base and say everything that is wrong, each with its place.

    Starts no program but `kubectl kustomize`, and reads no kubeconfig. Exit code 2 when there is an error.
    """
    from devcfg.runtime.commands.validate import validate as run
    from devcfg.runtime.project import Sources

    raise typer.Exit(run(Sources(file, base, services=tuple(services or ())), word("-o", output, REPORTS)))


@app.command(cls=Command)
def render(
    *,
    services: Services = None,
    everything: Annotated[bool, typer.Option("--all", help="Print the whole base, not only what changes.")] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="`plain`: objects. `component`: every file of the kustomize component, each under `# ---- PATH`. "
            "`json-patch`: for one live workload. `inverse`: the way back.",
        ),
    ] = "plain",
    write: Annotated[bool, typer.Option("--write", help="Write component and overlay, as `output` says.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when the written files are stale, and say why.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --write: replace files edited by hand, too.")] = False,
    file: File = None,
    base: BaseOption = None,
    with_local: Local = False,
    kube_version: Annotated[
        str | None,
        typer.Option(
            metavar="1.N", help="The cluster's version: 1.27 or newer, and then it changes nothing; older is refused."
        ),
    ] = None,
) -> None:
    """Print what dev mode changes and adds, for `kubectl apply -f -`; or write it as kustomize files.

    Starts no program but `kubectl kustomize`, and reads no kubeconfig.
    """
    from devcfg.runtime.commands.render import Request
    from devcfg.runtime.commands.render import render as run
    from devcfg.runtime.project import Sources

    sources = Sources(file, base, with_local, tuple(services or ()))
    request = Request(word("--format", form, FORMATS), everything, write, check, force, kube_version)
    raise typer.Exit(run(sources, request))


@app.command(cls=Command)
def diff(
    *,
    services: Services = None,
    live: Annotated[bool, typer.Option("--live", help="Against the cluster. Not supported yet.")] = False,
    file: File = None,
    base: BaseOption = None,
    with_local: Local = False,
) -> None:
    """Show the base against dev mode, each change with the line of the config that causes it."""
    from devcfg.runtime.commands.diff import diff as run
    from devcfg.runtime.project import Sources

    raise typer.Exit(run(Sources(file, base, with_local, tuple(services or ())), live=live))


@app.command(cls=Command)
def explain(
    *,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A field (`services.web.sync`), the code of a finding (`unknown-key`; `codes` lists all), a line of a "
            "generated patch (`…/patch.yaml:12`), or a line of the config (`devcfg.yaml:9`).",
        ),
    ],
    file: File = None,
    base: BaseOption = None,
) -> None:
    """Say what a field or a code means, and lead from a line of a patch to its field and back."""
    from devcfg.runtime.commands.explain import explain as run
    from devcfg.runtime.project import Sources

    raise typer.Exit(run(Sources(file, base), what))


@app.command(cls=Command)
def schema(
    *,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there. Default: standard output.")
    ] = None,
) -> None:
    """Print the JSON Schema of devcfg.yaml, for editors."""
    from devcfg.runtime.commands.schema import schema as run

    raise typer.Exit(run(output))


@app.command(cls=Command)
def ide(
    *,
    editor: Annotated[str, typer.Argument(metavar="|".join(EDITORS), help="The editor.")],
    services: Services = None,
    write: Annotated[bool, typer.Option("--write", help="Write the files; what is not ours in them stays.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when the files are stale, and show how.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take our entries out of the files.")] = False,
    file: File = None,
) -> None:
    """Print the entries with which an editor attaches to services; or write them, comments kept."""
    from devcfg.runtime.commands.ide import Action
    from devcfg.runtime.commands.ide import ide as run

    given = {Action.WRITE: write, Action.CHECK: check, Action.REMOVE: remove}
    actions = tuple(action for action, is_given in given.items() if is_given)
    raise typer.Exit(run(file, word("EDITOR", editor, EDITORS), tuple(services or ()), actions))


@app.command(cls=Command)
def demo() -> None:
    """Show what devcfg does, on a copy of the bundled example: no cluster, no key to press, under a minute."""
    from devcfg.runtime.commands.demo import demo as run

    raise typer.Exit(run(_run))


def main() -> NoReturn:
    """Run the command line and leave with its exit code; nothing that a file says ends in a traceback."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  closed by whoever started us
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # The same bytes on every machine, and a name that is no UTF-8 as it was.
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.exit(_run(sys.argv[1:]))


@cache
def _add_verbs() -> None:
    """Take in the verbs of a session: what only reads files shall not wait for their options to be built."""
    from devcfg.runtime.verbs import session

    app.add_typer(session)


def _run(words: list[str]) -> int:
    """Run one command line, say what goes wrong, and return its exit code."""
    if not words or words[0] not in OF_FILES:
        _add_verbs()
    try:
        code = app(words, prog_name="devcfg", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        try:
            return _say_failure(error)
        except BrokenPipeError:
            return _leave_pipe()
    return code if isinstance(code, int) else 0


def _say_usage(error: Any, show: Any) -> None:
    """Say what is wrong with the command line in our words; typer's help, which has several lines, stays its own."""
    from devcfg.runtime.console import say

    said = str(error.format_message())
    if "\n" in said or error.ctx is None:
        show()
        return
    message, _, meant = said.replace("'", "`").partition(" Did you mean ")
    say(f"error: {message[:1].lower()}{message[1:].rstrip('.')}")
    say(f"  = help: {f'did you mean {meant}' if meant else f'`{error.ctx.command_path} -h` lists what there is'}")


def _leave_pipe() -> int:
    """Leave quietly when nobody reads on: what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _say_failure(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, DevcfgError):
        from devcfg.runtime.console import report
        from devcfg.runtime.workspace import quote_line

        sys.stdout.flush()
        report(error, quote_line)
        return error.exit_code
    show = getattr(error, "show", None)
    if show is not None:
        _say_usage(error, show)
        return int(getattr(error, "exit_code", 2))
    if os.environ.get("DEVCFG_TRACEBACK"):
        raise error
    from devcfg.runtime.console import say

    if isinstance(error, OSError):
        _leave_pipe()
        say(f"error: {str(error.filename) + ': ' if error.filename else ''}{(error.strerror or str(error)).lower()}")
        return 1
    say(f"error: devcfg failed: {type(error).__name__}: {str(error)[:300]}")
    say("  = help: this is a fault of devcfg: please report it; with DEVCFG_TRACEBACK=1 it says where")
    return 1
