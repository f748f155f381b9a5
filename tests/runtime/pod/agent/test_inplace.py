"""Writing into the file that is there: death or failure in the middle leaves it old or new, and no edit is lost."""

import os
import resource
import signal

import pytest

from devcfg.runtime.pod.agent import inplace
from devcfg.runtime.pod.agent.digest import PIECE
from devcfg.runtime.pod.agent.entries import Entry
from devcfg.runtime.pod.agent.root import Root

from .conftest import Sides, in_child

OLD, NEW = b"old " * 700_000, b"a new one " * 230_000


@pytest.fixture
def inplace_sides(tmp_path):
    sides = Sides(tmp_path, write="inplace")
    sides.write("f", OLD, "far")
    sides.write("f", NEW)
    sides.send("f")
    return sides


def change(sides):
    return sides.change("f", Entry("f", sides.local.digest(["f"], {})["f"].digest, False))


def died(sides, number):
    """Apply in a process that ends before the given write into the file."""
    wanted, write_all, count = change(sides), inplace.write_all, [0]

    def work():
        def dying(fd, piece):
            count[0] += 1
            if count[0] == number:
                os._exit(1)
            write_all(fd, piece)

        inplace.write_all = dying
        sides.far.apply([wanted])

    assert in_child(work) is None


def cleaned(sides):
    root = Root(str(sides.base / "far"), write="inplace")
    root.clean()
    root.close()
    assert os.listdir(sides.base / "far") == ["f"]
    return (sides.base / "far" / "f").read_bytes()


COPIES = -(-len(OLD) // PIECE)


@pytest.mark.parametrize(("number", "left"), [(1, OLD), (COPIES + 1, OLD), (COPIES + 2, NEW), (COPIES + 3, NEW)])
def test_what_was_begun_is_finished_at_the_next_start(inplace_sides, number, left):
    died(inplace_sides, number)
    assert cleaned(inplace_sides) == left


@pytest.mark.parametrize("edit", [b"mine", NEW[:PIECE] + b"mine", b"mine" + OLD, OLD[:-1] + b"!"])
def test_what_somebody_made_of_it_meanwhile_stays(inplace_sides, edit):
    died(inplace_sides, COPIES + 2)
    (inplace_sides.base / "far" / "f").write_bytes(edit)
    assert cleaned(inplace_sides) == edit


def test_where_there_is_no_room_the_old_content_comes_back(tmp_path):
    sides = Sides(tmp_path, write="inplace")
    full = sides.write("f", b"short", "far")
    sides.write("f", NEW)
    sides.send("f")
    wanted = change(sides)

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE, PIECE))
        return [outcome.result for outcome in sides.far.apply([wanted])]

    assert in_child(work) == ["failed"]
    assert full.read_bytes() == b"short"
