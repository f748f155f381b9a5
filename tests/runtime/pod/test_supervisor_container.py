"""The supervisor as PID 1 of a container, on a read-only root that holds nothing but busybox."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest


def test_as_pid_1_it_reaps_orphans_and_ends_at_term(supervisor, program, namespace):
    text = (
        "import os, signal\n"
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        os.fork()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    supervisor.start(run=program(text), prefix=namespace)
    supervisor.until("1 running")
    supervisor.eventually(lambda: "up" in supervisor.out, "twenty orphans")
    init = supervisor.init()

    def zombies():
        return [line for line in supervisor.children(init) if line[0] == "Z"]

    supervisor.eventually(lambda: not zombies(), "no zombies", lambda: repr(zombies()))
    os.kill(init, signal.SIGTERM)
    assert supervisor.ended() == 0
    assert supervisor.state == "1 stopped quit"


def test_as_pid_1_quit_ends_the_container_with_all_its_processes(supervisor, program, namespace):
    supervisor.start("--grace=0.2", run=[*program(supervisor.escape), "deaf"], prefix=namespace)
    supervisor.eventually(lambda: supervisor.out.count("up") == 2, "both processes")
    supervisor.tell("quit")
    assert supervisor.ended() == 0
    assert not supervisor.processes()


def test_as_pid_1_the_loss_of_a_shell_restarts_the_container_and_the_process_comes_back(supervisor, namespace):
    supervisor.start(run=supervisor.sleep, prefix=namespace)
    supervisor.until("1 running")
    init = supervisor.init()
    for _, pid in supervisor.children(init):
        if str(supervisor.script) in supervisor.words_of(pid) and "--runner" not in supervisor.words_of(pid):
            os.kill(pid, signal.SIGKILL)  # control, as the kernel does when memory runs out
    assert supervisor.ended() != 0
    supervisor.start(run=supervisor.sleep, prefix=namespace)
    supervisor.until("2 running run")


def test_a_container_that_restarts_runs_what_a_session_has_told_since(supervisor, program):
    words = program("import sys; print(sys.argv[1], flush=True)")
    supervisor.start(run=[*words, "compiled"])
    supervisor.until("1 exited 0")
    told = " ".join(f"'{word}'" for word in (*words, "told"))
    (supervisor.directory / "cmd.run").write_text(f"set -- {told}\n")
    supervisor.tell("restart")
    supervisor.until("2 exited 0")
    supervisor.kill()
    supervisor.start(run=[*words, "compiled"])
    supervisor.until("3 exited 0")
    assert supervisor.out.split() == ["compiled", "told", "told"]


def test_it_runs_as_nobody_on_a_read_only_root_that_holds_only_busybox(supervisor, namespace):
    if supervisor.shell[0] == "dash" or os.geteuid() != 0 or shutil.which("chroot") is None:
        pytest.skip("needs busybox as the shell, root and chroot")
    busybox, root = Path(supervisor.shell[0]), supervisor.home / "root"
    for name in ("devcfg/bin", "devcfg/run", "dev", "proc", "src"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "devcfg/bin/busybox")
    shutil.copy(busybox, root / "src/sleep")  # a static program: it sleeps when its name is sleep
    shutil.copy(supervisor.script, root / "devcfg/bin/supervisor.sh")
    if subprocess.run(["chroot", root, "/devcfg/bin/busybox", "true"], capture_output=True).returncode:
        pytest.skip("busybox is not static here")
    os.chmod(root / "devcfg/run", 0o777)
    (root / "dev/null").touch()
    inside = (
        'set -e; cd "$1"; shift; mount --bind . .; cd "$PWD"; mount --bind devcfg/run devcfg/run; '
        "mount --bind /dev/null dev/null; mount -t proc proc proc; mount -o remount,ro,bind .; "
        'exec env -i "$(command -v chroot)" --userspec=65534:65534 . "$@"'
    )
    prefix = [*namespace, "sh", "-c", inside, "_", str(root), "/devcfg/bin/busybox", "sh"]
    link = supervisor.directory
    link.parent.mkdir()
    link.symlink_to(root / "devcfg/run/reviews")
    with open(supervisor.home / "err", "ab") as err:
        supervisor.process = subprocess.Popen(
            [
                *prefix,
                *(
                    "/devcfg/bin/supervisor.sh",
                    "--dir=/devcfg/run/reviews",
                    "--workdir=/src",
                    "--home=/devcfg/run/home",
                ),
                *("--wait=/src", "--run=2", "/src/sleep", "1000"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=err,
            stderr=err,
            start_new_session=True,
        )
    try:
        supervisor.until("1 running run")
        assert (link / "state").stat().st_uid == 65534
        supervisor.tell("restart")
        supervisor.until("2 running run")
        supervisor.tell("quit")
        assert supervisor.ended() == 0
        assert [line for line in supervisor.log.splitlines() if not line.startswith("[devcfg] ")] == []
    finally:
        supervisor.process.kill()
