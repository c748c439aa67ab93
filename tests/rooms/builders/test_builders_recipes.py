"""escrow.toml: what is taken, and how each mistake is told."""

import json
import tomllib
from importlib import resources

import jsonschema
import pytest

from builders.errors import RecipeInvalid
from builders.recipes import parse_recipe

FULL = """
schema = 1
[product]
name = "Ledger"
version = "4.2.1"
source_date_epoch = 1700000000
[[component]]
name = "api"
dir = "api"
builder = "python@bookworm"
system = ["libpq-dev"]
env = { MODE = "release" }
fetch = ["pip download -d deps/pypi ."]
hosts = ["example.org"]
build = ["pip wheel -w \\"$OUT\\" ."]
test = ["python3 -m pytest -q"]
limits = { cpus = 2, memory = "4g", disk = "8g", minutes = 45 }
[[component.artifact]]
path = "$OUT/*.whl"
shipped = "release/ledger.whl"
expect = "equivalent"
[[service]]
name = "db"
image = "postgres@15"
restore = "data/ledger.dump"
[[service]]
name = "web"
component = "api"
run = "python3 -m ledger"
needs = ["db"]
health = "http://web:8080/health"
within = "60s"
[[smoke]]
run = "python3 smoke.py"
expect_output = "42"
[[placeholder]]
name = "PAYMENT_API_KEY"
dummy = "test"
"""
LEAST = 'schema = 1\n[[component]]\nname = "a"\nbuilder = "cpp"\n'
SCHEMA = json.loads((resources.files("builders") / "escrow.schema.json").read_text("utf-8"))

# mistake → (what is added to the least recipe, path, word of the reason)
MISTAKES = {
    "unknown key": ("buidl = ['make']", "component[0].buidl", "not known"),
    "command is no list": ("build = 'make'", "component[0].build", "no list"),
    "folder leaves the source": ("dir = '../x'", "component[0].dir", "no path below"),
    "absolute folder": ("dir = '/etc'", "component[0].dir", "no path below"),
    "size without a unit": ("limits = { memory = '4' }", "component[0].limits.memory", "no size"),
    "time beyond range": ("limits = { minutes = 9999 }", "component[0].limits.minutes", "range"),
    "package with an option": ("system = ['-o x']", "component[0].system[0]", "another form"),
    "both builder and image": ("image = 'x.tar'", "component[0].builder", "exactly one"),
    "reserved variable": ("env = { OUT = '/x' }", "component[0].env.OUT", "cannot be set"),
    "artifact elsewhere": (
        "artifact = [{ path = '/x' }]",
        "component[0].artifact[0].path",
        "below",
    ),
    "unknown expectation": (
        "artifact = [{ path = 'x', expect = 'good' }]",
        "component[0].artifact[0].expect",
        "not known",
    ),
}


def test_full_recipe_is_read():
    recipe = parse_recipe(tomllib.loads(FULL))
    (component,) = recipe.components
    assert component.limits.memory_bytes == 4 << 30
    assert component.artifacts[0].expect == "equivalent"
    assert recipe.services[1].needs == ("db",)
    assert recipe.placeholders == {"PAYMENT_API_KEY": "test"}


@pytest.mark.parametrize("text", [FULL, LEAST])
def test_schema_takes_what_the_parser_takes(text):
    jsonschema.validate(tomllib.loads(text), SCHEMA)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_with_its_place(name):
    line, path, word = MISTAKES[name]
    with pytest.raises(RecipeInvalid) as caught:
        parse_recipe(tomllib.loads(LEAST + line))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert word in problem.reason
    assert problem.remedy


@pytest.mark.parametrize("name", MISTAKES)
def test_schema_refuses_what_the_parser_refuses(name):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(LEAST + MISTAKES[name][0]), SCHEMA)


def test_typo_is_answered_with_the_known_key():
    with pytest.raises(RecipeInvalid) as caught:
        parse_recipe(tomllib.loads(LEAST + "buidl = ['make']"))
    assert "'build'" in caught.value.problems[0].remedy


def test_secret_in_the_environment_is_refused():
    with pytest.raises(RecipeInvalid) as caught:
        parse_recipe(tomllib.loads(LEAST + "env = { DB_PASSWORD = 'x' }"))
    assert "[[placeholder]]" in caught.value.problems[0].remedy


def test_every_problem_is_told_at_once():
    with pytest.raises(RecipeInvalid) as caught:
        parse_recipe({"schema": 2, "component": [{"dir": 1}], "extra": {}})
    paths = [problem.path for problem in caught.value.problems]
    assert paths == [
        "schema",
        "component[0].name",
        "component[0].dir",
        "component[0].builder",
        "extra",
    ]


def test_recipe_without_component_is_refused():
    with pytest.raises(RecipeInvalid, match="no component"):
        parse_recipe({"schema": 1})


def test_two_components_of_one_name_are_refused():
    twice = tomllib.loads(LEAST + '[[component]]\nname = "a"\nbuilder = "node"\n')
    with pytest.raises(RecipeInvalid, match="two components"):
        parse_recipe(twice)


def test_service_of_an_unknown_component_is_refused():
    data = tomllib.loads(LEAST + '[[service]]\nname = "web"\ncomponent = "b"\n')
    with pytest.raises(RecipeInvalid, match="'b', which is not described"):
        parse_recipe(data)
