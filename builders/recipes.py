"""The recipe ``escrow.toml`` as values: what a vendor says about how his product is built.

Pure: TOML data in, a :class:`Recipe` or every problem with path and remedy out. All phases are in
the schema from the start (fetch, build, test, run), whether an installation runs them yet or not.
The same rules as a JSON Schema stand in ``escrow.schema.json``; a test keeps the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from builders.errors import RecipeInvalid, RecipeProblem
from builders.recipe_reading import Reader

Expectation = Literal["identical", "equivalent", "built"]

SCHEMA = 1
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_BUILDER = re.compile(r"[a-z][a-z0-9+]{0,20}(@[A-Za-z0-9][A-Za-z0-9.-]{0,20})?")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]{1,80}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")
_SECRET = re.compile(r"(secret|passw(or)?d|token|api_?key|private_?key|credential)", re.IGNORECASE)
# Set by the service; a recipe that overrides them would lose its own results.
_RESERVED_VARIABLES = frozenset(("OUT", "BUILD", "HOME"))

# A recipe is written by hand; these are far above what a person writes.
COMPONENTS_MAX = 50
COMMANDS_MAX = 100
COMMAND_CHARACTERS_MAX = 8_000

# What one component may ask for at all; the installation's own ceiling is applied by the plan.
CPUS_RANGE = (0.5, 32.0)
MEMORY_RANGE_BYTES = (128 << 20, 256 << 30)
DISK_RANGE_BYTES = (16 << 20, 1 << 40)
MINUTES_RANGE = (1.0, 480.0)


@dataclass(frozen=True)
class ProductRecipe:
    """What is printed on the certificate about the product."""

    name: str | None = None
    version: str | None = None
    revision: str | None = None
    source_date_epoch: int | None = None


@dataclass(frozen=True)
class LimitsRecipe:
    """What a component asks for; None takes the installation's default."""

    cpus: float | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class ArtifactRecipe:
    """A result that must be there: relative to the component's folder, or below ``$OUT/``."""

    path: str
    shipped: str | None = None
    expect: Expectation = "built"


@dataclass(frozen=True)
class ComponentRecipe:
    """One thing to build. Exactly one of ``builder`` and ``image`` is set."""

    name: str
    directory: str
    builder: str | None
    image: str | None
    system: tuple[str, ...]
    env: Mapping[str, str]
    fetch: tuple[str, ...]
    hosts: tuple[str, ...]
    build: tuple[str, ...]
    test: tuple[str, ...]
    limits: LimitsRecipe
    artifacts: tuple[ArtifactRecipe, ...]


@dataclass(frozen=True)
class ServiceRecipe:
    """Something that runs in the closed pod of the level ``run``."""

    name: str
    component: str | None
    image: str | None
    run: str | None
    restore: str | None
    needs: tuple[str, ...]
    health: str | None
    within: str | None


@dataclass(frozen=True)
class SmokeRecipe:
    """A command that must succeed against the running services."""

    run: str
    expect_output: str | None


@dataclass(frozen=True)
class Recipe:
    """A whole recipe; at least one component."""

    product: ProductRecipe
    components: tuple[ComponentRecipe, ...]
    services: tuple[ServiceRecipe, ...] = ()
    smokes: tuple[SmokeRecipe, ...] = ()
    placeholders: Mapping[str, str] | None = None


def parse_recipe(data: Mapping[str, object]) -> Recipe:
    """Return the recipe that TOML data states.

    Raises:
        RecipeInvalid: with every problem found, not only the first.
    """
    problems: list[RecipeProblem] = []
    top = Reader(data, "", problems)
    schema = top.integer("schema", required=True)
    if schema not in (SCHEMA, None):
        top.problem("schema", f"schema {schema} is not known", f"Write 'schema = {SCHEMA}'.")
    product = _product(top.table("product"))
    components = tuple(_component(each) for each in top.tables("component", COMPONENTS_MAX))
    services = tuple(_service(each) for each in top.tables("service", COMPONENTS_MAX))
    smokes = tuple(_smoke(each) for each in top.tables("smoke", COMPONENTS_MAX))
    placeholders = dict(_placeholder(each) for each in top.tables("placeholder", 1_000))
    top.finish()
    if not components:
        top.problem(
            "component",
            "no component is described",
            "Add one [[component]] table with 'name' and 'builder'.",
        )
    _check_names(top, components, services)
    if problems:
        raise RecipeInvalid(tuple(problems))
    return Recipe(product, components, services, smokes, placeholders)


def _product(table: Reader) -> ProductRecipe:
    found = ProductRecipe(
        name=table.text("name"),
        version=table.text("version"),
        revision=table.text("revision"),
        source_date_epoch=table.integer("source_date_epoch", at_least=0),
    )
    table.finish()
    return found


def _component(table: Reader) -> ComponentRecipe:
    found = ComponentRecipe(
        name=table.text("name", required=True, form=NAME) or "?",
        directory=table.path("dir") or "",
        builder=table.text("builder", form=_BUILDER),
        image=table.text("image"),
        system=table.texts("system", form=_PACKAGE),
        env=_environment(table),
        fetch=table.texts("fetch", COMMANDS_MAX, characters=COMMAND_CHARACTERS_MAX),
        hosts=table.texts("hosts", form=_HOST),
        build=table.texts("build", COMMANDS_MAX, characters=COMMAND_CHARACTERS_MAX),
        test=table.texts("test", COMMANDS_MAX, characters=COMMAND_CHARACTERS_MAX),
        limits=_limits(table.table("limits")),
        artifacts=tuple(_artifact(each) for each in table.tables("artifact", 200)),
    )
    if (found.builder is None) == (found.image is None):
        table.problem(
            "builder",
            "exactly one of 'builder' and 'image' says what it is built with",
            'Write for example builder = "python".',
        )
    table.finish()
    return found


def _environment(table: Reader) -> Mapping[str, str]:
    inner = table.table("env")
    found = {name: inner.text(name) or "" for name in inner.names()}
    for name in found:
        if not _VARIABLE.fullmatch(name) or name in _RESERVED_VARIABLES:
            inner.problem(name, "this name cannot be set", "Choose another variable name.")
        elif _SECRET.search(name):
            inner.problem(
                name,
                "this looks like a secret, and a recipe is read by every party",
                "Name it in a [[placeholder]] with a dummy value.",
            )
    return found


def _limits(table: Reader) -> LimitsRecipe:
    found = LimitsRecipe(
        cpus=table.number("cpus", CPUS_RANGE),
        memory_bytes=table.size("memory", MEMORY_RANGE_BYTES),
        disk_bytes=table.size("disk", DISK_RANGE_BYTES),
        minutes=table.number("minutes", MINUTES_RANGE),
    )
    table.finish()
    return found


def _artifact(table: Reader) -> ArtifactRecipe:
    expect: Expectation | None = table.choice("expect", ("identical", "equivalent", "built"))
    found = ArtifactRecipe(
        path=table.path("path", required=True, prefix="$OUT/") or "?",
        shipped=table.path("shipped"),
        expect=expect or "built",
    )
    table.finish()
    return found


def _service(table: Reader) -> ServiceRecipe:
    found = ServiceRecipe(
        name=table.text("name", required=True, form=NAME) or "?",
        component=table.text("component", form=NAME),
        image=table.text("image"),
        run=table.text("run"),
        restore=table.path("restore"),
        needs=table.texts("needs", form=NAME),
        health=table.text("health"),
        within=table.text("within", form=re.compile(r"[1-9][0-9]{0,4}(s|m)")),
    )
    table.finish()
    return found


def _smoke(table: Reader) -> SmokeRecipe:
    found = SmokeRecipe(table.text("run", required=True) or "?", table.text("expect_output"))
    table.finish()
    return found


def _placeholder(table: Reader) -> tuple[str, str]:
    name = table.text("name", required=True, form=_VARIABLE) or "?"
    dummy = table.text("dummy", required=True) or ""
    table.finish()
    return name, dummy


def _check_names(
    top: Reader, components: tuple[ComponentRecipe, ...], services: tuple[ServiceRecipe, ...]
) -> None:
    names = [component.name for component in components]
    for name in sorted({name for name in names if names.count(name) > 1}):
        top.problem("component", f"two components are named '{name}'", "Rename one of them.")
    known = {*names, *(service.name for service in services)}
    for index, service in enumerate(services):
        wanted = [service.component] if service.component else []
        for name in [*wanted, *service.needs]:
            if name not in known:
                top.problem(
                    f"service[{index}]",
                    f"it refers to '{name}', which is not described",
                    "Correct the name, or describe the component or service.",
                )
