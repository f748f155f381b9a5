"""A view of one base object that remembers what was read: every read becomes a `test` of the patch.

So a patch depends on nothing it does not assert: on a changed base it means the same, or fails loudly.
"""

from __future__ import annotations

from devcfg.schemas.patch import Json, Op, Operation, Pointer, Role


class Witness:
    """Reads of one object. The only mutable value of the compiler: it lives for one lowering."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._reads: dict[Pointer, Operation] = {}

    def read(self, path: Pointer, source: str = "", role: Role = Role.ASSUME) -> Json:
        """Return the value at `path` (None when missing) and remember it. A missing parent is remembered instead."""
        found = self._document
        for depth, token in enumerate(path):
            if isinstance(found, dict):
                found = found.get(token)
            elif isinstance(found, list) and int(token) < len(found):
                found = found[int(token)]
            else:
                found = None
            if found is None:
                self._remember(Pointer(path[: depth + 1]), None, source, role)
                return None
        self._remember(path, found, source, role)
        return found

    def peek(self, path: Pointer) -> Json:
        """Return the value at `path` without remembering: for findings, never for operations."""
        found = self._document
        for token in path:
            if isinstance(found, dict):
                found = found.get(token)
            elif isinstance(found, list) and int(token) < len(found):
                found = found[int(token)]
            else:
                return None
        return found

    def items(self, path: Pointer, key: str, source: str = "") -> tuple[str, ...] | None:
        """Return the `key` of each element of a list and remember them; None, remembered too, when there is no list."""
        found = self.peek(path)
        if found is None:
            self.read(path, source)
            return None
        return tuple(str(self.read(path / at / key, source)) for at in range(len(found)))

    def exists(self, path: Pointer, source: str = "") -> bool:
        """Tell whether there is something at `path`. Absence is remembered; presence is asserted by using it."""
        if self.peek(path) is not None:
            return True
        self.read(path, source)
        return False

    def tests(self) -> tuple[Operation, ...]:
        """Return one `test` a read, in the order of reading."""
        return tuple(self._reads.values())

    def _remember(self, path: Pointer, value: Json, source: str, role: Role) -> None:
        self._reads.setdefault(path, Operation(Op.TEST, path, value, source, role))


def append_all(
    witness: Witness, path: Pointer, elements: tuple[tuple[Json, str], ...], *, exact: bool = False
) -> tuple[Operation, ...]:
    """Append elements (each with its source) to a list that may be missing.

    With `exact`, also assert that the base's list has not grown.
    """
    if not elements:
        return ()
    source = elements[0][1]
    steps: tuple[Operation, ...] = ()
    if not witness.exists(path, source):
        steps = (Operation(Op.ADD, path, [], source),)
    elif exact:
        steps = exact_length(path, len(witness.peek(path)), source)
    return steps + tuple(Operation(Op.ADD, path / "-", element, field) for element, field in elements)


def exact_length(path: Pointer, length: int, source: str) -> tuple[Operation, ...]:
    """Assert that a list has exactly `length` elements: append a mark, find it right behind them, take it away.

    RFC 6902 has no length, and a `test` past the end fails everywhere. The mark is empty, as no element of a base is:
    one of our own could be mistaken for an element of the same name that the base has gained.
    """
    mark: dict[str, Json] = {}
    return (
        Operation(Op.ADD, path / "-", mark, source, Role.ASSUME),
        Operation(Op.TEST, path / length, mark, source, Role.ASSUME),
        Operation(Op.REMOVE, path / length, None, source, Role.ASSUME),
    )
