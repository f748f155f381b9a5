"""Config and base together: every finding of both at once, and the same bytes each time."""

import shlex

import pytest

from devcfg.runtime.project import Sources, compile_project, shipped, together
from devcfg.schemas.diagnostic import Diagnostic, Severity, Span
from devcfg.schemas.errors import ConfigError

AT = Span(1, 1, 1, 2)


@pytest.mark.parametrize(
    "sources",
    [
        Sources(),
        Sources(file="a b.yaml"),
        Sources(file="$(x)", base="-", with_local=True),
        Sources(base="it's; here"),
    ],
)
def test_the_options_said_again_are_the_options_given(sources):
    words = shlex.split(f"devcfg{sources.words}")[1:]
    options = dict(zip(words[::2], words[1::2], strict=False))

    assert options.get("-f") == sources.file
    assert options.get("--base") == sources.base
    assert ("--with-local" in words) == sources.with_local


def test_findings_of_config_paths_and_base_come_at_once(web):
    web.write("devcfg.yaml", "base: base.yaml\nservices: {web: {sync: ['gone:/src']}, api: {}}\n")
    with pytest.raises(ConfigError) as raised:
        compile_project(Sources())

    assert [one.code for one in raised.value.diagnostics] == ["missing-path", "unknown-workload"]


def test_compiling_twice_gives_equal_plans(web):
    one, other = compile_project(Sources()).plan, compile_project(Sources()).plan

    assert [part.workload.patch for part in one.workloads] == [part.workload.patch for part in other.workloads]
    assert one.config_digest == other.config_digest


def test_supervisor_and_agent_are_shipped_as_text():
    assert list(shipped())[:3] == ["supervisor.sh", "__init__.py", "__main__.py"]
    assert all(text.isascii() for text in shipped().values())
    assert all(f"{name}.py" in shipped() for name in ("wait", "serve", "scan", "watch"))
    assert sum(map(len, shipped().values())) > 100_000


def test_of_findings_at_one_place_the_gravest_is_kept():
    note, error = (Diagnostic("a", "m", one, file="f", span=AT) for one in (Severity.NOTE, Severity.ERROR))
    elsewhere, nowhere = Diagnostic("a", "m", Severity.NOTE, file="g", span=AT), Diagnostic("a", "m")

    assert together((note,), (error, elsewhere), (nowhere,)) == (nowhere, error, elsewhere)
