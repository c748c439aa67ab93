"""How the trial build was made, as SLSA provenance v1; pure, and the vendor's alone.

It tells what was rebuilt from what by whom, so it holds paths, commands and digests that came out
of the deposit. It claims no level of SLSA's build track: whoever relies on it knows the worker's
isolation from the report. Source: slsa.dev, provenance/v1.
"""

from __future__ import annotations

from builders.orders import ComponentPlan, TrialBuildPlan
from escrow.evidence.statements import Stamp
from escrow.ground.clock import rfc3339
from escrow.verification.attested import worker_uri
from escrow.verification.outcomes import ARTIFACTS_LISTED_MAX, Outcome
from escrow.verification.parts import DepositFacts

BUILD_TYPE = "urn:escrow:trial-build:v1"


def artifact_subjects(outcome: Outcome) -> list[tuple[str, str]]:
    """Return what the trial build made, by path and digest; a statement has to stay readable."""
    components = outcome.result.components if outcome.result else ()
    made = [(one.path, one.sha256) for component in components for one in component.artifacts]
    return list(dict.fromkeys(made))[:ARTIFACTS_LISTED_MAX]


def provenance_predicate(
    stamp: Stamp, deposit: DepositFacts, outcome: Outcome, plan: TrialBuildPlan
) -> dict[str, object]:
    """Return the predicate of the provenance.

    Args:
        plan: what was run.
    """
    images = outcome.result.images if outcome.result else ()
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "deposit": deposit.id,
                "recipe": "drafted" if plan.drafted else "deposited",
                "components": [_component(one) for one in plan.components],
            },
            "internalParameters": {
                "isolation": dict(outcome.isolation),
                "sourceDateEpoch": str(plan.source_date_epoch),
            },
            "resolvedDependencies": [
                *_parts(deposit),
                *(
                    {"uri": f"urn:escrow:builder-image:{one}", "digest": _digest(one)}
                    for one in images
                ),
            ],
        },
        "runDetails": {
            "builder": {
                "id": worker_uri(stamp, outcome.worker),
                "version": {"escrow": stamp.version},
            },
            "metadata": {
                "invocationId": f"{outcome.examination_id}:{outcome.attempt}",
                "startedOn": rfc3339(outcome.begun_at),
                "finishedOn": rfc3339(outcome.finished_at),
            },
            "byproducts": [
                {"name": one.kind, "digest": {"sha256": one.sha256}} for one in outcome.documents
            ],
        },
    }


def _component(plan: ComponentPlan) -> dict[str, object]:
    return {
        "name": plan.name,
        "directory": plan.directory,
        "ecosystem": plan.ecosystem,
        "suite": plan.suite,
        "systemPackages": list(plan.system_packages),
        "phases": [
            {"phase": one.name, "commands": list(one.commands), "network": one.network}
            for one in plan.phases
        ],
    }


def _parts(deposit: DepositFacts) -> list[dict[str, object]]:
    """Return what lay in the workspace; a carried part was not opened, so it was no input."""
    return [
        {"name": part.label, "digest": {"sha256": part.sha256}}
        for part in deposit.parts
        if part.is_opened
    ]


def _digest(image: str) -> dict[str, str]:
    algorithm, _, digest = image.partition(":")
    return {algorithm: digest}
