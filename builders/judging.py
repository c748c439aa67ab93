"""From findings and results to verdicts. Nothing is rounded up.

Pure. FAIL is the deposit's, ERROR is ours, NOT TESTED has its reason among the findings, and PASS
is what is left when none of these applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from builders.findings import Finding, listed, weighs_as_failure
from builders.orders import Artifact, ComponentResult, Verdict
from builders.outputs import Collected

# The worst first: one failed component makes the whole fail, whatever else could not be tried.
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "error", "not-tested", "pass")

# Missing artifacts that are each named.
_MISSING_SHOWN = 10


def judge_artifacts(
    component: str, collected: Collected, deposited: frozenset[str]
) -> tuple[Finding, ...]:
    """Return what is to be said of a successful build's results.

    Args:
        component: its name.
        collected: what it left.
        deposited: the SHA-256 of every deposited file.
    """
    missing = [
        Finding("E-BUILD-ARTIFACT-MISSING", {"path": path}, component)
        for path in collected.missing[:_MISSING_SHOWN]
    ]
    missing += _missing_modules(component, collected)
    # Empty files are all alike: that one was deposited says nothing.
    results = [artifact for artifact in collected.artifacts if artifact.size_bytes]
    old = [artifact for artifact in results if artifact.sha256 in deposited]
    if not results:
        nothing = (
            () if weighs_as_failure(missing) else (Finding("E-BUILD-NO-ARTIFACT", {}, component),)
        )
        return (*missing, *nothing)
    if len(old) == len(results):
        facts = {"examples": _examples(old)}
        return (*missing, Finding("E-BUILD-NOTHING-BUILT", facts, component))
    if old:
        facts = {"count": str(len(old)), "examples": _examples(old)}
        return (*missing, Finding("E-BUILD-ARTIFACT-DEPOSITED", facts, component))
    return tuple(missing)


def _missing_modules(component: str, collected: Collected) -> Iterator[Finding]:
    for package in collected.incomplete:
        rows = (
            ("E-BUILD-MODULE-MISSING", package.certain),
            ("E-BUILD-MODULE-DOUBTFUL", package.doubtful),
        )
        for code, modules in rows:
            if modules:
                facts = {"artifact": package.path, "modules": listed(modules)}
                yield Finding(code, facts, component)


def _examples(artifacts: Iterable[Artifact]) -> str:
    return listed(artifact.path for artifact in artifacts)


def component_verdict(findings: Iterable[Finding], *, ran: bool) -> Verdict:
    """Return a component's verdict from everything found about it.

    Args:
        findings: its own.
        ran: whether its phases were run at all.
    """
    every = list(findings)
    if weighs_as_failure(every):
        return "fail"
    if any(finding.code.startswith("E-OURS-") for finding in every):
        return "error"
    return "pass" if ran else "not-tested"


def whole_verdict(components: Sequence[ComponentResult], findings: Iterable[Finding]) -> Verdict:
    """Return the verdict over all components, and over what was found about none of them."""
    verdicts = {component.verdict for component in components}
    if weighs_as_failure(findings):
        verdicts.add("fail")
    if not verdicts:
        return "not-tested"
    return next(verdict for verdict in _WORST_FIRST if verdict in verdicts)
