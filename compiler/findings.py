"""Makes a diagnostic for a pointer of the dev config, with its place. Never decides what is wrong."""

from __future__ import annotations

from dataclasses import replace

from devcfg.compiler.document import Document
from devcfg.schemas.diagnostic import Diagnostic, Note, Severity
from devcfg.schemas.patch import Pointer


class Findings:
    """Collects diagnostics of one dev config; at most one a place is kept, the most severe first found."""

    def __init__(self, document: Document, file: str) -> None:
        self._document = document
        self._file = file
        self._found: list[Diagnostic] = []

    def add(
        self,
        code: str,
        at: tuple[str | int, ...],
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        hint: str = "",
        label: str = "",
        key: bool = False,
        notes: tuple[Note, ...] = (),
    ) -> None:
        """Add a finding at a place of the config; `key` puts the caret under the key instead of the value.

        A place inside a short form, such as the target in `path:target`, is the place of the short form.
        """
        pointer = Pointer(str(token) for token in at)
        while pointer and self._document.value_span(pointer) is None:
            pointer, key = pointer.parent, False
        span = self._document.key_span(pointer) if key else self._document.value_span(pointer)
        anchor = self._document.anchor_span(pointer)
        if anchor is not None:
            notes = (*notes, Note("it is written here", self._file, anchor.line, anchor.column))
        self._found.append(
            Diagnostic(
                code=code,
                message=message,
                severity=severity,
                hint=hint,
                file=self._file,
                span=span or self._document.span(pointer),
                pointer=str(pointer),
                label=label,
                notes=notes,
            )
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings in the order of the file, one a place."""
        ranked = sorted(self._found, key=lambda one: (one.order[:3], _RANK[one.severity]))
        kept: dict[tuple[str, int, int], Diagnostic] = {}
        for one in ranked:
            first = kept.setdefault(one.order[:3], one)
            if first is not one and one.severity is not Severity.ERROR and one.code != first.code:
                # One caret a place, but nothing said is lost.
                more = (Note(one.message, ""), *(note for note in one.notes if note not in first.notes))
                kept[one.order[:3]] = replace(first, notes=(*first.notes, *more))
        return tuple(kept.values())

    @property
    def failed(self) -> bool:
        """Tell whether any finding is an error."""
        return any(one.severity is Severity.ERROR for one in self._found)


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
