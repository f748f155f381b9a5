"""What commands of the command line have in common: how words become values, shared options. Runs nothing."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from devcfg.schemas.errors import UsageError

TABLES = ("human", "json")


class _AsWritten:
    """Takes the words of the command line as they are."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002  as typer calls it
        return () if value is None and (param.nargs == -1 or param.multiple) else value


class _Written:
    """A command whose values are strings, lists of them, or flags.

    typer takes each value through a type adapter of pydantic, which costs more than all the rest of `validate`. Where
    a version of it looks for that elsewhere, this does nothing but be slower.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, none of which needs an adapter."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the command it is mixed into
        for one in found:
            vars(one)["_runtime_param"] = _AsWritten()
        return found


class Command(_Written, TyperCommand):
    """One verb."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line: a metavar of several words is one already, without brackets or dots."""
        found = [self.options_metavar] if self.options_metavar else []
        for one in self.get_params(ctx):
            written = one.metavar if one.param_type_name == "argument" and " " in (one.metavar or "") else ""
            found += [written] if written else one.get_usage_pieces(ctx)
        return found


class Group(_Written, TyperGroup):
    """All verbs."""


Services = Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="Only these services. Default: all.")]
File = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="The dev config. Default: devcfg.yaml here or above.")
]
Service = Annotated[str | None, typer.Argument(metavar="SERVICE", help="Default: the config's only one.")]
OutputOption = Annotated[
    str, typer.Option("--output", "-o", metavar="|".join(TABLES), help="`json` for programs, on stdout.")
]
BaseOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|DIR|-", help="Use these manifests, not the config's `base`; - is standard input."),
]
Local = Annotated[bool, typer.Option("--with-local", help="Lay devcfg.local.yaml over the config first.")]


def word(option: str, given: str, known: tuple[str, ...]) -> str:
    """Return what an option was given, if it is one of the known words. Raises `UsageError`."""
    if given not in known:
        from devcfg.schemas.fields import closest

        wanted = f"`{option}` wants one of {', '.join(f'`{one}`' for one in known)}, found `{given}`"
        raise UsageError(wanted, hint=closest(given, known))
    return given
