"""`devcfg explain`: what a field or a code means, and the way from patch line to field and back. Never guesses."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from devcfg.overlays.component import HEADER, identity
from devcfg.runtime import console
from devcfg.runtime.places import field_of, line_of, operations_of, pointers_at
from devcfg.runtime.project import Project, Sources, compile_project
from devcfg.runtime.workspace import QUOTED, find_config, open_workspace, read_bytes
from devcfg.schemas.codes import CODES
from devcfg.schemas.errors import ConfigError, UsageError
from devcfg.schemas.fields import closest
from devcfg.schemas.patch import Op, Operation, Role
from devcfg.schemas.plan import ObjectPatch, Plan
from devcfg.schemas.reference import Entry, all_fields, describe_field

SHOWN = 12
"""How many operations of a config line are listed."""


def explain(sources: Sources, what: str) -> int:
    """Print the explanation, and return the exit code. Raises `UsageError` where there is nothing to explain."""
    for line in _lines(sources, what):
        console.data(console.printable(line) + "\n")
    return 0


def _lines(sources: Sources, what: str) -> Iterator[str]:
    place = re.fullmatch(r"(.+):(\d+)(:\d+)?", what)
    if place is not None:
        return _explain_line(sources, place[1], int(place[2]))
    if what == "codes":
        width = max(map(len, CODES))
        return (f"{code.ljust(width)}  {text.title}" for code, text in CODES.items())
    if what in CODES:
        return iter((f"{what}: {CODES[what].title}", *_wrapped(CODES[what].text, "  ")))
    entry = describe_field(what)
    if entry is not None:
        return _explain_field(entry)
    last = (*CODES, *(path.rpartition(".")[2] for path in all_fields()), "codes")
    hint = closest(what, (*CODES, *all_fields())) or closest(what.rpartition(".")[2], last)
    more = "it takes a field, a code (`codes` lists them), or FILE:LINE of a generated patch or the config"
    raise UsageError(f"there is no field and no code `{what}`", hint=hint or more)


# ---- fields


def _explain_field(entry: Entry) -> Iterator[str]:
    default = "" if entry.default in (None, (), {}) else f" (default: {_shown(entry.default)})"
    yield f"{entry.path}{' (required)' if entry.required else default}"
    yield from _wrapped(entry.text, "  ")
    takes = " or ".join(dict.fromkeys(_forms(entry.form)))
    if takes:
        yield from _wrapped(f"takes {takes}", "  ")
    examples = entry.form.get("examples", ())
    if examples:
        yield f"  for instance {', '.join(_shown(one) for one in examples)}"
    if entry.keys:
        yield "  keys:"
        width = max(len(name) for name, _ in entry.keys)
        for name, text in entry.keys:
            first, *rest = _wrapped(text, "", 94 - width)
            yield f"    {name.ljust(width)}  {first}"
            yield from (f"    {' ' * width}  {line}" for line in rest)


def _forms(form: Any) -> Iterator[str]:
    """Say in words what a JSON Schema takes."""
    for one in form.get("anyOf", ()):
        yield from _forms(one)
    if "$ref" in form:
        yield "a mapping"
    elif "enum" in form:
        yield " | ".join(map(str, form["enum"]))
    elif form.get("type") == "integer" and "minimum" in form:
        least, most = form["minimum"], form["maximum"]
        yield f"a whole number from {least} to {most}" if least != most else str(least)
    elif "type" in form:
        names = {"array": "a list", "object": "a mapping", "string": "a text", "integer": "a whole number"}
        names |= {"number": "a number", "boolean": "true or false", "null": "null"}
        types = form["type"] if isinstance(form["type"], list) else [form["type"]]
        if "string" in types:  # a plain scalar counts by its source text
            types = [one for one in types if one not in ("number", "boolean", "integer")]
        yield from (names[one] for one in types)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wrapped(text: str, indent: str, width: int = 98) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False) or [indent]


# ---- lines


def _explain_line(sources: Sources, file: str, line: int) -> Iterator[str]:
    text = read_bytes(file, QUOTED).decode("utf-8", "replace")
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        raise UsageError(f"`{file}` has {len(lines)} lines, and no line {line}")
    if text.startswith(HEADER):
        return _explain_patch_line(sources, file, lines, line)
    try:
        is_config = os.path.samefile(file, find_config(sources.file))
    except (OSError, UsageError):
        is_config = os.path.basename(file).startswith("devcfg.")
    if not is_config:
        hint = "name a line of a generated file (`k8s/components/devcfg/…/patch.yaml:9`) or of the config"
        raise UsageError(f"`{file}` is neither generated by devcfg nor the config", hint=hint)
    return _explain_config_line(Sources(file, sources.base, sources.with_local), line)


def _explain_config_line(sources: Sources, line: int) -> Iterator[str]:
    """Say what field a line of the config is, and which operations it causes."""
    workspace = open_workspace(sources.file)
    document = workspace.parsed.document
    fields = [field_of(one, document) for one in pointers_at(line, document)]
    if not fields:
        raise UsageError(f"`{workspace.path}:{line}` stands above the first field")
    project = compile_project(sources)
    for field in dict.fromkeys(_whole(field, project.plan) for field in fields):
        yield f"{workspace.path}:{line} {field}"
        entry = describe_field(field)
        if entry is not None:
            yield from _wrapped(entry.text, "  ")
        found = _caused(field, project.plan)
        changes = [(one, step) for one, step in found if step.op is not Op.TEST and step.role is not Role.ASSUME]
        if not changes:
            yield "  it changes no manifest by itself: it is for the session, or for what is written around it"
        for one, step in changes[:SHOWN]:
            yield f"  {one.patch.target.label}: {_deed(step)}"
        if len(changes) > SHOWN:
            yield f"  … and {len(changes) - SHOWN} more"
        tests = sum(step.op is Op.TEST for _, step in found)
        if tests:
            yield f"  {tests} test{'s' * (tests != 1)} of the base guard{'s' * (tests == 1)} it"


_IN_ARGUMENTS = re.compile(r"(services\.[^.]+)\.(workdir|reload\.stop(\..+)?|command\.(build|run))")
"""Fields that travel in the supervisor's arguments, which are written once for all of them."""


def _whole(field: str, plan: Plan) -> str:
    """Return the field that a part without a meaning of its own belongs to: `command.run` for `command.run[0]`."""
    while field.count(".") > 1 and not operations_of(field, plan):
        entry = describe_field(field)
        if entry is not None and (entry.keys or not field.endswith("]")):
            break
        field = re.sub(r"(\.[^.\[\]]*|\[\d+\])$", "", field)
    return field


def _caused(field: str, plan: Plan) -> list[tuple[ObjectPatch, Operation]]:
    """Return the operations that a field causes, or else those of the field around it that is lowered as a whole."""
    found = list(operations_of(field, plan))
    arguments = _IN_ARGUMENTS.fullmatch(field)
    if arguments is not None:
        command = operations_of(f"{arguments[1]}.command", plan)
        found += [(one, step) for one, step in command if step.path[-1] == "args"]
    around = field
    while not found and around.count(".") > 1:
        around = re.sub(r"(\.[^.\[\]]*|\[\d+\])$", "", around)
        if around.count(".") > 1 and not around.endswith(".command"):
            found = [(one, step) for one, step in operations_of(around, plan) if step.source == around]
    return found


def _explain_patch_line(sources: Sources, file: str, lines: list[str], line: int) -> Iterator[str]:
    """Say what an operation of a generated patch does, and which field it comes from."""
    yield f"{file}:{line}"
    text = lines[line - 1]
    step = _operation(text)
    if step is None:
        yield f"  {_about(file, text)}"
        return
    yield f"  {_deed(step)}"
    heading = next((one[2:] for one in reversed(lines[:line]) if one.startswith("# ")), "")
    try:
        project: Project | None = compile_project(sources)
    except (ConfigError, UsageError):
        project = None
    matched = _match(project, file, step) if project is not None else None
    source = matched[1].source if matched is not None else heading if heading.startswith("services.") else ""
    if matched is not None and matched[1].role in (Role.ASSUME, Role.PRISTINE):
        yield "  an assumption: where the base is different, the patch fails loudly in place of doing harm"
    if project is None:
        yield f"  from {source or 'dev mode itself'} (config and base do not compile now: `devcfg validate` says why)"
        return
    if source:
        yield f"  from {source}, {project.workspace.path}:{line_of(source, project.workspace.parsed.document)}"
    else:
        yield "  from no field: dev mode itself needs it"
    if matched is None:
        yield "  the files are stale: `devcfg render --check` says why"


def _match(project: Project, file: str, step: Operation) -> tuple[ObjectPatch, Operation] | None:
    """Find the operation in the plan of the workload whose directory the file stands in."""
    folder = os.path.basename(os.path.dirname(os.path.abspath(file)))
    for workload in project.plan.workloads:
        if workload.id != folder:
            continue
        for one in workload.patched:
            for other in (*identity(one.patch), *one.patch.operations):
                if other.to_json() == step.to_json():
                    return one, other
    return None


def _operation(text: str) -> Operation | None:
    try:
        found = json.loads(text.removeprefix("- "))
        return Operation(Op(found["op"]), _pointer(found["path"]), found.get("value"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _pointer(text: str) -> Any:
    from devcfg.schemas.errors import PatchError
    from devcfg.schemas.patch import Pointer

    try:
        return Pointer.parse(text)
    except PatchError as error:
        raise ValueError(text) from error


def _deed(step: Operation) -> str:
    value = json.dumps(step.value, ensure_ascii=False)
    value = value if len(value) <= 100 else value[:99] + "…"
    match step.op:
        case Op.TEST:
            return f"tests that {step.path} is {'not there' if step.value is None else value}"
        case Op.ADD:
            return f"sets {step.path} to {value}" if step.path[-1] != "-" else f"appends to {step.path.parent} {value}"
        case Op.REMOVE:
            return f"removes {step.path}"


_ABOUT = {
    "patch": "not an operation: those are the lines that begin with `- `",
    "guard": "the guard: kustomize fails here, with the workload's name, when workload or container is gone",
    "kustomization": "lists the parts of the component; an overlay may list only some of them",
    "configmap": "runs in the pod: the supervisor, which owns the dev process, and the agent, the far side of sync",
    "claim": "a claim for a path of `persist`",
}


def _about(file: str, text: str) -> str:
    if text.startswith("# ") and not text.startswith(HEADER):
        field = text.startswith("# services.")
        return f"a heading: {'the operations below it come from ' * field}{text[2:].rstrip(':')}"
    name, folder = os.path.basename(file), os.path.basename(os.path.dirname(os.path.abspath(file)))
    kind = "guard" if folder == "guard" else re.split(r"[-.]", name)[0]
    return _ABOUT.get(kind, "generated by devcfg")
