"""The real agent at the end of an exec: the link runs over either cluster as it does over a pipe."""

import asyncio
import io
import secrets
import tarfile
from pathlib import Path

from devcfg.runtime.link.link import Link

AGENT = Path(__file__).resolve().parents[4] / "runtime" / "pod" / "agent"
UNPACK = """
import io, os, sys, tarfile
print("ready", flush=True)
data = sys.stdin.buffer.read(int(sys.argv[1]))
tarfile.open(fileobj=io.BytesIO(data)).extractall(sys.argv[2])
os.mkdir(os.path.join(sys.argv[2], "state"))
print("done", flush=True)
"""


def packed():
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for path in sorted(AGENT.glob("*.py")):
            archive.add(path, f"agent/{path.name}")
    return held.getvalue()


async def said(command):
    output = b""
    while piece := await command.read():
        output += piece
    return output


def test_an_agent_answers_over_an_exec_and_ends_with_it(boxed):
    folder, data = f"/tmp/devcfg-agent-{secrets.token_hex(4)}", packed()

    async def check(cluster):
        unpacking = await cluster.execute(*boxed.box, ["python3", "-c", UNPACK, str(len(data)), folder], stdin=True)
        ready = b""
        while not ready.endswith(b"\n"):
            ready += await unpacking.read()
        await unpacking.write(data)
        assert await said(unpacking) == b"done\n"
        await unpacking.close()
        argv = ["env", f"PYTHONPATH={folder}", "python3", "-S", "-m", "agent", f"{folder}/state"]
        async with Link(await cluster.execute(*boxed.box, argv, stdin=True)) as link:
            hello = await link.open()
        while True:  # an end that it has to notice by itself
            asked = ["sh", "-c", f"kill -0 {hello.pid} 2>/dev/null && echo alive || echo gone"]
            looking = await cluster.execute(*boxed.box, asked, stdin=False)
            found = await said(looking)
            await looking.close()
            if found == b"gone\n":
                break
            await asyncio.sleep(0.2)
        cleaning = await cluster.execute(*boxed.box, ["rm", "-rf", folder], stdin=False)
        await said(cleaning)
        await cleaning.close()
        return hello

    assert boxed.run(check).python.startswith("3")
