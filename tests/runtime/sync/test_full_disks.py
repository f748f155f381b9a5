"""A disk that is full, on either side, under the index, or before the first sync: it is said, and waited for."""

import contextlib
import random
import shutil
import subprocess

import pytest
from tests.runtime.sync.live import Live, leftovers
from tests.runtime.sync.test_faults import MIB, empty, fill, goes_on, roots, save

from devcfg.runtime.pod.agent.entries import DISK_FULL
from devcfg.runtime.sync.halts import Cause
from devcfg.runtime.sync.modes import Side


@pytest.fixture
def small_disk(place):
    """A directory on a disk of one MiB."""
    folder = place / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", folder], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a disk of one MiB can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("size", [600_000, 3 * MIB])
@pytest.mark.parametrize("side", list(Side))
def test_a_full_disk_stops_sync_until_there_is_room(place, small_disk, side, size):
    near, far = (small_disk, place / "far") if side is Side.LOCAL else (place / "near", small_disk)
    with Live(place, near, far) as site:
        fill(near)
        site.settle()
        (small_disk / "ballast").write_bytes(random.Random(1).randbytes(500_000))
        site.settle()
        content = random.Random(2).randbytes(size)
        target, source = roots(site, side)
        save(source / "big", content)
        site.wait(lambda: site.halts)
        (halt,) = site.halts
        assert halt.cause is Cause.DISK_FULL and halt.side is side
        assert halt.reason == f"the disk of the {side.word} side is full"
        site.wait(lambda: site.engine.status().problems)
        (problem,) = site.engine.status().problems
        assert (problem.path, problem.side, problem.reason) == ("big", side, DISK_FULL)
        assert not (target / "big").exists() and (target / "ballast").exists()
        # What fits goes on.
        save(source / "d0" / "00.txt", "small")
        site.wait((target / "d0" / "00.txt").exists)
        site.wait(lambda: (target / "d0" / "00.txt").read_text() == "small")
        (source / "ballast").unlink()
        if size < MIB:
            site.wait(lambda: (target / "big").exists() and (target / "big").read_bytes() == content)
        else:
            (source / "big").unlink()
        site.settle()
        site.wait(lambda: not site.halts)
        goes_on(site)
    assert not leftovers(near, far)


def test_a_full_disk_under_the_index_stops_sync_until_there_is_room(place, small_disk):
    with Live(place, place / "near", place / "far", index=str(small_disk / "index")) as site:
        fill(site.near)
        site.settle()
        with open(small_disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(b"x" * 4096):
                pass
        for number in range(2000):
            (site.near / f"many {number:04}").write_text(str(number))
        site.wait(lambda: site.halts)
        (halt,) = site.halts
        assert halt.cause is Cause.DISK_FULL and halt.side is Side.LOCAL
        (small_disk / "ballast").unlink()
        for number in range(500, 2000):
            (site.near / f"many {number:04}").unlink()
        site.settle()
        site.wait(lambda: not site.halts)
        goes_on(site)


def test_a_disk_that_is_full_before_the_first_sync_is_said_and_waited_for(place, small_disk):
    (small_disk / "__pycache__").mkdir()
    with open(small_disk / "__pycache__" / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(b"x" * 4096):
            pass
    fill(place / "near")
    with Live(place, place / "near", small_disk) as site:
        site.wait(lambda: site.halts or site.engine.status().degraded)
        said = [one.reason for one in site.halts] + list(site.engine.status().degraded)
        assert any(DISK_FULL in one or "disk of the remote side is full" in one for one in said), said
        shutil.rmtree(small_disk / "__pycache__")
        site.settle()
        goes_on(site)


def test_a_full_disk_when_the_volume_is_new_stops_sync_until_there_is_room(place, small_disk):
    with Live(place, place / "near", place / "far", index=str(small_disk / "index")) as site:
        fill(site.near)
        site.settle()

        def replace():
            empty(site.far)
            with open(small_disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
                while ballast.write(b"x" * 4096):
                    pass

        site.at_once(replace)
        site.cut(0)
        site.wait(lambda: Cause.DISK_FULL in [one.cause for one in site.halts])
        (small_disk / "ballast").unlink()
        site.settle()
        goes_on(site)
