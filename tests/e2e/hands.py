"""What a user does to a directory, here or in a pod: the same program, which says what was in its way. Never syncs.

Sync works beside it at any moment. So nothing is looked at first and done then: what an action replaces is taken away
by the same call that puts something there, and is read afterwards. Python 3.8, standard library only.

    python3 -u -c SOURCE ROOT      # a line of JSON each way for each action
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
import time

SCRATCH = "scratch.log"
"""Where an action keeps what it is not done with: in the same file system, and ignored by sync."""
OUT_OF_SIGHT = (".git", SCRATCH)
NOREPLACE, EXCHANGE = 1, 2
HERE = -100
LANDING = 0.5
"""Seconds in which what sync was just about to put into a directory still gets there after it was moved away."""
libc = ctypes.CDLL(None, use_errno=True)


def swap(source, to, flags):
    if libc.renameat2(HERE, os.fsencode(source), HERE, os.fsencode(to), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source)


def value_of(full):
    """Return the value of a file, its first line; a link has none."""
    if os.path.islink(full) or not os.path.isfile(full):
        return None
    with open(full, "rb") as file:
        return file.readline().decode(errors="replace").rstrip("\n")


class Hands:
    """One user of one directory."""

    def __init__(self, root):
        self.root, self.number = root, 0
        os.makedirs(os.path.join(root, SCRATCH), exist_ok=True)

    def do(self, action):
        """Do an action; return (path, value) of all that it replaced, and of what it moved to where."""
        self.replaced, self.wrote = [], []
        done, why = True, ""
        try:
            done = getattr(self, action.pop("do"))(**action)
        except OSError as error:  # sync, or the other user, was there first
            done, why = False, str(error)
        return {"done": done, "why": why, "replaced": self.replaced, "wrote": self.wrote}

    def write(self, path, text, how):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if os.path.isdir(full):
            return False
        if how == "in place" and os.path.isfile(full):
            return self._write_in_place(path, full, text)
        beside = self._scratch()
        with open(beside, "w") as file:
            file.write(text)
        try:
            swap(beside, full, EXCHANGE)
        except FileNotFoundError:
            swap(beside, full, NOREPLACE)
            return True
        self._gone(beside, path)
        return True

    def _write_in_place(self, path, full, text):
        with open(full, "r+") as file:
            old = file.readline().rstrip("\n")
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            # Whoever replaced the file meanwhile replaced it before this was in it: it was never there.
            if os.fstat(file.fileno()).st_ino != os.stat(full).st_ino:
                return False
        self.replaced.append((path, old))
        return True

    def remove(self, path):
        aside = self._scratch()
        os.rename(os.path.join(self.root, path), aside)
        self._gone(aside, path)
        return True

    def rename(self, path, to):
        full = os.path.join(self.root, to)
        if not os.path.isfile(os.path.join(self.root, path)):
            return False
        aside = self._scratch()
        os.rename(os.path.join(self.root, path), aside)
        if os.path.isdir(aside):
            self._gone(aside, path)
            return True
        value = value_of(aside)
        self.replaced.append((path, value))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        swap(aside, full, NOREPLACE)
        self.wrote.append((to, value))
        return True

    def look(self):
        """Return what is at each path: digest and value of a file, `/` for a directory."""
        for folder, folders, files in os.walk(self.root):
            base = os.path.relpath(folder, self.root)
            if base == ".":
                folders[:] = [name for name in folders if name not in OUT_OF_SIGHT]
            for name in folders:
                self.wrote.append((os.path.normpath(os.path.join(base, name)), "/"))
            for name in files:
                full = os.path.join(folder, name)
                if os.path.islink(full):
                    self.wrote.append((os.path.normpath(os.path.join(base, name)), f"-> {os.readlink(full)}"))
                    continue
                with open(full, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()[:16]
                self.wrote.append((os.path.normpath(os.path.join(base, name)), f"{digest} {value_of(full)}"))
        return True

    def _scratch(self):
        self.number += 1
        return os.path.join(self.root, SCRATCH, f"{os.getpid()}-{self.number}")

    def _gone(self, aside, path):
        """Take note of what was at a path and is aside now, and remove it."""
        if not os.path.isdir(aside):
            self.replaced.append((path, value_of(aside)))
            os.unlink(aside)
            return
        time.sleep(LANDING)
        for folder, _, files in os.walk(aside):
            for name in files:
                full = os.path.join(folder, name)
                self.replaced.append((os.path.join(path, os.path.relpath(full, aside)), value_of(full)))
        shutil.rmtree(aside)


if __name__ == "__main__":
    hands = Hands(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(hands.do(json.loads(line))), flush=True)
