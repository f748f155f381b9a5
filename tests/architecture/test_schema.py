"""The JSON Schema says what the checks say: it takes every valid config, and refuses what is wrong in its shape."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from devcfg.compiler.document import read_document, to_json
from devcfg.compiler.parser import read_config
from devcfg.runtime.commands.schema import as_text
from devcfg.schemas.config import DevConfig
from devcfg.schemas.errors import ConfigError
from devcfg.schemas.reference import all_fields, describe_field, json_schema

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/bookstore"
CASES = sorted((ROOT / "tests/golden/cases").glob("*/*/devcfg.yaml"))
VALIDATOR = jsonschema.Draft7Validator(json_schema())
SHAPES = ("unknown-key", "wrong-type", "missing-key", "not-supported")


def verdicts(path):
    """Return the config's JSON value and the codes of what our checks find in it; None where it is no YAML."""
    data = path.read_bytes()
    try:
        document = read_document(data, file="devcfg.yaml")
        value = to_json(document.value)
    except (ConfigError, ValueError):
        return None, ()
    try:
        read_config(data, file="devcfg.yaml")
    except ConfigError as error:
        return value, tuple(one.code for one in error.diagnostics)
    return value, ()


READ = {path.parent.relative_to(ROOT / "tests/golden/cases").as_posix(): verdicts(path) for path in CASES}
VALID = {name: value for name, (value, codes) in READ.items() if value is not None and not codes}
MISSHAPEN = {name: value for name, (value, codes) in READ.items() if set(codes) & set(SHAPES)}


def test_the_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(json_schema())


def test_the_committed_schema_is_fresh(request):
    committed, fresh = EXAMPLE / "devcfg.schema.json", as_text(json_schema())
    if request.config.getoption("--update-golden"):
        committed.write_text(fresh, "utf-8")

    assert committed.read_text("utf-8") == fresh, "`make golden` writes it anew"


def test_the_example_finds_its_schema_by_its_first_line():
    first = (EXAMPLE / "devcfg.yaml").read_text("utf-8").partition("\n")[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)

    assert found is not None
    assert (EXAMPLE / found[1]).is_file()


def test_the_schema_takes_the_example():
    value, codes = verdicts(EXAMPLE / "devcfg.yaml")

    assert codes == ()
    assert [one.message for one in VALIDATOR.iter_errors(value)] == []


def test_there_are_cases_of_both_kinds():
    assert len(VALID) > 40
    assert len(MISSHAPEN) > 15


@pytest.mark.parametrize("name", VALID)
def test_the_schema_takes_every_valid_config(name):
    assert [f"{list(one.path)}: {one.message}" for one in VALIDATOR.iter_errors(VALID[name])] == []


@pytest.mark.parametrize("name", MISSHAPEN)
def test_the_schema_refuses_a_config_that_is_wrong_in_its_shape(name):
    assert not VALIDATOR.is_valid(MISSHAPEN[name])


SERVICE = {"services": {"web": {}}}
WRONG = [
    {"mode": "duplicate"},
    {"mode": "nonsense"},
    {"clock": "+3d"},
    {"replicas": 0},
    {"replicas": "1"},
    {"command": {"run": []}},
    {"command": {"run": ""}},
    {"command": {"run": [{}]}},
    {"command": {"rnu": ["a"]}},
    {"sync": [{"path": "a"}]},
    {"sync": ["a"]},
    {"sync": [{"path": "a", "target": "relative"}]},
    {"sync": [{"path": "a", "target": "/a", "mode": "fast"}]},
    {"sync": "a:/b"},
    {"sync": [{"path": "/a", "target": "/b"}]},
    {"sync": [{"path": "../a", "target": "/b"}]},
    {"reload": "never"},
    {"reload": "signal:NOPE"},
    {"reload": {"debounce": "soon"}},
    {"reload": {"stop": {"signal": "KILL"}}},
    {"debug": {"adapter": "cobol"}},
    {"debug": {"port": 0}},
    {"debug": {"wait": "yes"}},
    {"ports": ["http"]},
    {"ports": ["80:"]},
    {"reverse": ["80"]},
    {"env": ["A=1"]},
    {"env": {"A": ["1"]}},
    {"env": {"A": {"value": "1"}}},
    {"resources": {"limits": {"cpu": "much"}}},
    {"persist": [{}]},
    {"persist": [{"path": "/a", "size": "big"}]},
    {"probes": "off"},
    {"probes": {"liveness": "off"}},
    {"user": "root"},
    {"container": "No_Name"},
    {"workload": "web"},
    {"podTemplate": "spec/template"},
    {"image": ""},
    {"image": "two words"},
    {"workdir": "src"},
    {"patches": "text"},
]


@pytest.mark.parametrize("service", WRONG, ids=json.dumps)
def test_schema_and_checks_refuse_the_same(service):
    value = {"services": {"web": service}}
    with pytest.raises(ConfigError):
        read_config(json.dumps(value).encode(), file="devcfg.yaml")

    assert not VALIDATOR.is_valid(value)


@pytest.mark.parametrize("value", [{}, {"services": {}}, {"services": {"No_Name": {}}}, {**SERVICE, "version": 2}])
def test_so_they_do_at_the_top(value):
    with pytest.raises(ConfigError):
        read_config(json.dumps(value).encode(), file="devcfg.yaml")

    assert not VALIDATOR.is_valid(value)


@pytest.mark.parametrize("path", tuple(all_fields()))
def test_every_field_has_a_text_that_can_stand_alone(path):
    entry = describe_field(path)

    assert entry is not None
    assert entry.path == path
    assert re.fullmatch(r"[A-Z`\"'a-z0-9].{10,}\.", entry.text), entry.text
    assert "TODO" not in entry.text


def test_every_key_of_the_schema_is_described():
    def properties(schema):
        if isinstance(schema, dict):
            yield from (schema.get("properties") or {}).items()
            for below in schema.values():
                yield from properties(below)
        elif isinstance(schema, list):
            for below in schema:
                yield from properties(below)

    found = [(name, one) for name, one in properties(json_schema()) if name != "valueFrom"]

    assert len(found) > 50
    assert [name for name, one in found if not one.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("path", tuple(all_fields()))
def test_every_default_passes_its_own_check(path):
    entry = describe_field(path)
    if entry.required or entry.default in (None, (), {}):
        return
    value = list(entry.default) if isinstance(entry.default, tuple) else entry.default
    for key in reversed(re.findall(r"[^.\[\]]+|\[\]", path)):
        value = [value] if key == "[]" else {("web" if key == "*" else key): value}
    whole = {"services": {"web": {}}} | value
    for wanted in ("path", "target"):
        _fill(whole, wanted)

    assert VALIDATOR.is_valid(whole), whole
    assert DevConfig.validate(whole)


def _fill(value, key):
    """Give elements of sync and persist what they need beside the field under test."""
    for name, below in value.items() if isinstance(value, dict) else ():
        if name in ("sync", "persist"):
            for one in below:
                if key == "path" or name == "sync":
                    one.setdefault(key, "/a" if name == "persist" or key == "target" else "a")
        _fill(below, key)
