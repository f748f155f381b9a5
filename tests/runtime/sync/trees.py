"""What the planner's tests make trees of, and how they carry out a plan. Never plans."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.sync.modes import Mode, Side
from devcfg.runtime.sync.planner import Step, SyncPlan
from devcfg.runtime.sync.tree import DIRECTORY, Tree, depth_order, parent

HOLLOW = Entry("h", "", False)
MODES = tuple(Mode)
NAMES = ("a", "b", "a-b")


def file(content: str, *, executable: bool = False) -> Entry:
    return Entry("f", content, executable)


def remove(entries: dict[str, Entry], path: str) -> None:
    for known in [known for known in entries if known == path or known.startswith(path + "/")]:
        del entries[known]


def place(entries: dict[str, Entry], path: str, entry: Entry) -> None:
    """Put an entry at a path as a user does: directories are made, what is in the way goes."""
    above = parent(path)
    if above and (above not in entries or entries[above].kind not in "dh"):
        place(entries, above, DIRECTORY)
    if entries.get(path, DIRECTORY).kind != entry.kind or entry.kind not in "dh":
        remove(entries, path)
    entries.setdefault(path, entry)


def settle(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Say `h` and `d` as a scan does: hollow is a directory that has children, all of them ignored or hollow."""
    for path in sorted(entries, key=depth_order, reverse=True):
        below = [entry.kind for known, entry in entries.items() if parent(known) == path]
        if entries[path].kind == "d" and below and all(kind == "h" for kind in below):
            entries[path] = HOLLOW
        elif entries[path].kind == "h" and not all(kind == "h" for kind in below):
            entries[path] = DIRECTORY
    return entries


paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


@st.composite
def changes(draw, *, odd: bool, bits: bool = True):
    """Draw what a user does to one tree: (path, entry or None) a step; contents are numbered when they are used."""
    kinds = ["f", "f", "f", "d", "l", "gone", "gone"] + ["h", "x"] * odd
    count = draw(st.integers(0, 5))
    return [(draw(paths), draw(st.sampled_from(kinds)), bits and draw(st.booleans())) for _ in range(count)]


def change(entries: dict[str, Entry], steps, author: str) -> dict[str, Entry]:
    """Do what was drawn to a copy; each file that is written has a value of its own."""
    entries = dict(entries)
    for number, (path, kind, executable) in enumerate(steps):
        match kind:
            case "gone":
                remove(entries, path)
            case "f" | "l":
                place(entries, path, Entry(kind, f"{author}{number}", kind == "f" and executable))
            case "d":
                place(entries, path, DIRECTORY)
            case "h":
                place(entries, path, HOLLOW)
            case "x":
                place(entries, path, Entry("x", "a fifo", False))
    return settle(entries)


@st.composite
def worlds(draw, *, odd: bool = True, bits: bool = True):
    """Draw an ancestor and two sides that were both made from it, so that the three are alike."""
    ancestor = change({}, draw(changes(odd=False, bits=bits)), "o")
    local = change(ancestor, draw(changes(odd=odd, bits=bits)), "l")
    far = change(ancestor, draw(changes(odd=odd, bits=bits)), "f")
    if draw(st.booleans()) and draw(st.booleans()):
        ancestor = {}
    return Tree(ancestor), Tree(local), Tree(far)


def carry_out(ancestor: Tree, sides: tuple[Tree, Tree], plan: SyncPlan, chance: random.Random | None = None) -> None:
    """Do a plan to trees; with `chance`, some steps fail as they do on a disk."""
    for path, entry in plan.ancestor.items():
        ancestor.put(path, entry)
    for side in Side:
        steps = list(plan.steps(side))
        if chance is not None:
            steps = [step for step in steps if chance.random() < 0.7]
        _apply(ancestor, sides[side], steps)


def _apply(ancestor: Tree, side: Tree, steps: list[Step]) -> None:
    replaced = [step for step in steps if step.new is None or step.old is not None]
    gone = set()
    for step in sorted(replaced, key=lambda step: depth_order(step.path), reverse=True):
        assert side.get(step.path) == step.old
        children = {side.get(child).kind for child in side.children(step.path)}
        if children and step.new != DIRECTORY:
            if children == {"h"}:
                side.put(step.path, HOLLOW)
                ancestor.put(step.path, None)
            continue
        if step.new is None:
            ancestor.put(step.path, None)
        side.put(step.path, None)
        gone.add(step.path)
    for step in steps:
        above = side.get(parent(step.path))
        if step.new is None or (parent(step.path) and (above is None or above.kind not in "dh")):
            continue
        if step.old is None or step.path in gone:
            assert side.get(step.path) is None
            side.put(step.path, step.new)
            ancestor.put(step.path, step.new)
    settle(side.entries)
