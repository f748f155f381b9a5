"""Debuggers of programs with machine code: gdb and lldb, told what to do by a script, in the pace of a test."""

import subprocess
import time

SECONDS = 60.0


class Native:
    """A debugger that runs a script; it waits where that has `shell`, until it is killed."""

    def __init__(self, words, log):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def wait_for(self, text):
        deadline = time.monotonic() + SECONDS
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    @property
    def said(self):
        return self.log.read_text(errors="replace")

    def end(self):
        self.process.wait(SECONDS)
        return self.said

    def kill(self):
        self.process.kill()
        self.process.wait()


def gdb(folder, port, program, mappings, *commands):
    """Begin gdb, attached, with the paths of the far side read as those here."""
    moved = [f"set substitute-path {one['remote']} {one['local']}" for one in mappings]
    lines = ["set pagination off", "set auto-load off", *moved, f"target remote 127.0.0.1:{port}", *commands]
    return Native(["gdb", "-batch", "-nx", *(word for one in lines for word in ("-ex", one)), program], folder / "gdb")


def lldb(folder, name, port, program, mappings, *commands):
    """Begin lldb, the same way."""
    moved = [f"settings append target.source-map {one['remote']} {one['local']}" for one in mappings]
    lines = [f"target create {program}", *moved, f"gdb-remote 127.0.0.1:{port}", *commands]
    return Native([name, "-b", "-x", *(word for one in lines for word in ("-o", one))], folder / "lldb")
