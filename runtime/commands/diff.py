"""`devcfg diff`: the base against dev mode, each change under the config line that causes it. Never applies it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from devcfg.overlays.hunks import Hunk, diff_plan
from devcfg.runtime import console
from devcfg.runtime.places import line_of
from devcfg.runtime.project import Project, Sources, compile_project
from devcfg.runtime.workspace import quote_line
from devcfg.schemas.diagnostic import Severity
from devcfg.schemas.errors import UsageError

ADDED = 12
"""How many lines of an added object are shown."""


def diff(sources: Sources, *, live: bool) -> int:
    """Print what dev mode changes, and return the exit code: 0, whether there are changes or not."""
    if live:
        hint = "it comes with the session that talks to the cluster; without it, `diff` shows base against dev mode"
        raise UsageError("`--live` is not supported yet", hint=hint)
    project = compile_project(sources)
    warnings = tuple(one for one in project.diagnostics if one.severity is Severity.WARNING)
    console.say_diagnostics(warnings, quote_line)
    for one in diff_plan(project.plan):
        place = f"  {console.printable(one.place)}" if one.place else "  added"
        console.data(_paint(console.printable(one.label), console.BOLD) + place + "\n")
        for hunk in one.hunks:
            for line in _hunk(project, hunk, is_whole=not hunk.path):
                console.data(line + "\n")
        console.data("\n")
    return 0


def _hunk(project: Project, hunk: Hunk, *, is_whole: bool) -> Iterator[str]:
    if not is_whole:
        yield _paint(console.printable(f"@@ {_cause(project, hunk.source)} @@ {hunk.path}"), console.CYAN)
    after = hunk.after
    if is_whole and len(after) > ADDED + 1:
        after = (*after[:ADDED], f"… {len(after) - ADDED} more lines")
    for sign, line in _changes(hunk.before, after):
        colour = {"-": console.RED, "+": console.GREEN}.get(sign)
        yield _paint(f"{sign} {console.visible(line)}", *([colour] if colour else []))


def _cause(project: Project, source: str) -> str:
    if not source:
        return "dev mode itself"
    line = line_of(source, project.workspace.parsed.document)
    return f"{source}  {project.workspace.path}:{line}"


def _changes(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each line with its sign; lines that stay are shown too, because hunks are small."""
    for tag, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((" ", line) for line in before[start:end])
            continue
        yield from (("-", line) for line in before[start:end])
        yield from (("+", line) for line in after[new_start:new_end])


def _paint(text: str, *codes: str) -> str:
    return console.paint(text, *codes, stream="stdout")
