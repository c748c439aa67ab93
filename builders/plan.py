"""From an inspection to an order: which components are built, how, and in what order.

Pure. The deposited recipe is the truth; where there is none, the draft is planned and the result
says so. What cannot be planned becomes a finding that says why, never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from builders.allowances import CEILING, component_limits, over_ceiling
from builders.commands import Brought, Commands, default_commands
from builders.detection import Candidate, detect, folders_of, style_at
from builders.drafting import draft_component, draft_recipe
from builders.errors import RecipeInvalid
from builders.findings import Finding, listed
from builders.hermetic import hermetic_environment
from builders.inventory import source_problems
from builders.offers import Offer, offer_for, offered_names, requires_python, resolve_builder
from builders.orders import ComponentPlan, Inspection, Limits, PhasePlan, TrialBuildPlan
from builders.recipes import ComponentRecipe, ProductRecipe, Recipe, parse_recipe

# Where nothing says when the source was made: 1 January 2020, a time that every archive can hold.
FALLBACK_EPOCH = 1_577_836_800


@dataclass(frozen=True)
class _World:
    """What the plan of every component needs to know."""

    inspection: Inspection
    brought: Brought
    ceiling: Limits
    recipe: Recipe
    epoch: int


@dataclass(frozen=True)
class _Planned:
    """A component's plan, or the findings that say why there is none."""

    component: ComponentPlan | None
    findings: tuple[Finding, ...]


def plan_trial_builds(inspection: Inspection, ceiling: Limits = CEILING) -> TrialBuildPlan:
    """Return the order for a deposit.

    Args:
        inspection: what is known about it.
        ceiling: the most that this installation gives one component.
    """
    problems = source_problems(inspection)
    if problems:
        return _no_plan(inspection, problems)
    if inspection.recipe_problem is not None:
        unread = Finding("E-RECIPE-UNREADABLE", {"problem": inspection.recipe_problem})
        return _no_plan(inspection, (unread,))
    if inspection.recipe is None:
        return _plan_draft(inspection, ceiling)
    try:
        recipe = parse_recipe(inspection.recipe)
    except RecipeInvalid as error:
        return _no_plan(inspection, _recipe_findings(error))
    return _plan_recipe(recipe, inspection, ceiling)


def drafted_recipe(inspection: Inspection) -> str:
    """Return the draft ``escrow.toml`` for a deposit."""
    return draft_recipe(detect(inspection.markers), brought_by(inspection))


def brought_by(inspection: Inspection) -> Brought:
    """Return what dependencies a deposit brings, as the inspector saw them."""
    pypi = [seen for seen in inspection.observations if seen.kind == "store-pypi"]
    modules = {seen.path for seen in inspection.observations if seen.kind == "node-modules"}
    return Brought(
        pypi=tuple(seen.path for seen in pypi),
        pypi_names=frozenset(name for seen in pypi for name in seen.facts.get("names", "").split()),
        npm=tuple(seen.path for seen in inspection.observations if seen.kind == "store-npm"),
        node_modules=frozenset(path.removeprefix("src").lstrip("/") for path in modules),
    )


def _no_plan(inspection: Inspection, findings: Sequence[Finding]) -> TrialBuildPlan:
    return TrialBuildPlan((), inspection.recipe is None, _epoch(inspection), tuple(findings))


def _epoch(inspection: Inspection) -> int:
    return inspection.newest_mtime or FALLBACK_EPOCH


def _recipe_findings(error: RecipeInvalid) -> tuple[Finding, ...]:
    rows = (
        {"path": problem.path, "problem": problem.reason, "advice": problem.remedy}
        for problem in error.problems
    )
    return tuple(Finding("E-RECIPE-INVALID", facts) for facts in rows)


def _plan_recipe(recipe: Recipe, inspection: Inspection, ceiling: Limits) -> TrialBuildPlan:
    epoch = recipe.product.source_date_epoch or _epoch(inspection)
    world = _World(inspection, brought_by(inspection), ceiling, recipe, epoch)
    planned = [_plan_component(component, "escrow.toml", world) for component in recipe.components]
    findings = [finding for each in planned for finding in each.findings]
    if recipe.services or recipe.smokes:
        findings.append(Finding("E-PLAN-RUN-NOT-RUN"))
    return TrialBuildPlan(_components(planned), False, epoch, tuple(findings))


def _plan_draft(inspection: Inspection, ceiling: Limits) -> TrialBuildPlan:
    candidates = detect(inspection.markers)
    if not candidates:
        return _no_plan(inspection, (Finding("E-PLAN-NOTHING-RECOGNISED"),))
    empty = Recipe(ProductRecipe(), ())
    epoch = _epoch(inspection)
    world = _World(inspection, brought_by(inspection), ceiling, empty, epoch)
    planned = [_plan_candidate(candidate, world) for candidate in candidates]
    because = listed(f"{c.name} ({c.because})" for c in candidates)
    findings = [Finding("E-RECIPE-DRAFTED", {"components": because})]
    findings += [finding for each in planned for finding in each.findings]
    return TrialBuildPlan(_components(planned), True, epoch, tuple(findings))


def _components(planned: Sequence[_Planned]) -> tuple[ComponentPlan, ...]:
    return tuple(each.component for each in planned if each.component is not None)


def _plan_candidate(candidate: Candidate, world: _World) -> _Planned:
    offer = offer_for(candidate)
    if candidate.manager:
        facts = {"manager": candidate.manager, "because": candidate.because}
        return _Planned(None, (Finding("E-PLAN-PACKAGE-MANAGER", facts, candidate.name),))
    if offer is None:
        wish = candidate.toolchain or f"{candidate.ecosystem} {requires_python(candidate)}"
        return _Planned(None, (_not_offered(candidate.name, wish, candidate.because),))
    component = draft_component(candidate, offer)
    return _plan_component(component, candidate.because, world)


def _plan_component(component: ComponentRecipe, because: str, world: _World) -> _Planned:
    """Plan one component; where its recipe names no commands, those of its folder are taken."""
    offer = resolve_builder(component.builder) if component.builder is not None else None
    inside = (world.inspection.recipe_directory, component.directory)
    directory = "/".join(part for part in inside if part)
    refusal = _refusal(component, offer, directory, world)
    if refusal is not None or offer is None:
        return _Planned(None, (refusal,) if refusal is not None else ())
    drafted, findings = _drafted(component, offer, directory, world)
    build = component.build or component.fetch or drafted.build
    if not build:
        return _Planned(None, (_no_commands(component),))
    if component.build or component.fetch:
        findings = ()
    if component.fetch:
        findings = (Finding("E-PLAN-FETCH-NOT-RUN", {}, component.name),)
    plan = _component_plan(component, offer, directory, build, world)
    plan = replace(
        plan,
        because=because,
        undeposited=drafted.undeposited,
        undeposited_tools=drafted.undeposited_tools,
        locked=not drafted.unlocked,
    )
    return _Planned(plan, findings)


def _drafted(
    component: ComponentRecipe, offer: Offer, directory: str, world: _World
) -> tuple[Commands, tuple[Finding, ...]]:
    folder = folders_of(world.inspection.markers).get(directory, {})
    found = style_at(folder, offer.ecosystem)
    if found is None:
        return Commands(()), ()
    candidate = replace(found, name=component.name, directory=directory)
    commands = default_commands(candidate, world.brought)
    findings = []
    if commands.image_tools:
        tools = {"tools": " and ".join(commands.image_tools)}
        findings.append(Finding("E-PLAN-TOOLCHAIN-BACKEND", tools, component.name))
    if commands.unlocked:
        facts = {"marker": candidate.because, "lockfile": "package-lock.json"}
        findings.append(Finding("E-PLAN-NO-LOCKFILE", facts, component.name))
    return commands, tuple(findings)


def _component_plan(
    component: ComponentRecipe,
    offer: Offer,
    directory: str,
    build: tuple[str, ...],
    world: _World,
) -> ComponentPlan:
    limits = component_limits(component.limits, world.ceiling)
    own = {**(world.recipe.placeholders or {}), **component.env}
    jobs = max(1, int(limits.cpus))
    environment = hermetic_environment(component.name, jobs, world.epoch, world.brought, own)
    phases = [PhasePlan("build", build, environment)]
    if component.test:
        phases.append(PhasePlan("test", component.test, environment))
    return ComponentPlan(
        name=component.name,
        directory=directory,
        ecosystem=offer.ecosystem,
        suite=offer.suite,
        because="",
        phases=tuple(phases),
        limits=limits,
        artifacts=tuple(artifact.path for artifact in component.artifacts),
        system_packages=component.system,
    )


def _refusal(
    component: ComponentRecipe, offer: Offer | None, directory: str, world: _World
) -> Finding | None:
    if component.image is not None:
        facts = {"image": component.image, "offered": offered_names()}
        return Finding("E-PLAN-IMAGE-NOT-OFFERED", facts, component.name)
    if offer is None:
        return _not_offered(component.name, component.builder or "?", "escrow.toml")
    if directory and not _is_folder(world.inspection, directory):
        facts = {"directory": component.directory}
        return Finding("E-RECIPE-DIRECTORY-MISSING", facts, component.name)
    return over_ceiling(component.name, component.limits, world.ceiling)


def _not_offered(name: str, wish: str, because: str) -> Finding:
    facts = {"toolchain": wish.strip(), "because": because, "offered": offered_names()}
    return Finding("E-PLAN-TOOLCHAIN-NOT-OFFERED", facts, name)


def _no_commands(component: ComponentRecipe) -> Finding:
    facts = {
        "path": f"component '{component.name}'",
        "problem": "it names no build commands, and nothing in its folder says them",
        "advice": "Add 'build = [\"…\"]', or correct 'dir'.",
    }
    return Finding("E-RECIPE-INVALID", facts, component.name)


def _is_folder(inspection: Inspection, directory: str) -> bool:
    places = {p.name: p.place for p in inspection.parts if p.kind == "source" and p.place}
    wanted = f"src/{directory}/"
    return any(
        f"{places[entry.part]}/{entry.path}".startswith(wanted)
        for entry in inspection.entries
        if entry.part in places
    )
