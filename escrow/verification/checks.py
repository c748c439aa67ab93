"""What the terms say of the parts, and at which level each finding weighs; pure.

Guarantees: every finding has a level, and a level's verdict follows from its findings and from
nothing else. A severity of ``fail`` makes FAIL; a reason why something could not be tested makes
NOT TESTED, never PASS. What is *in* the parts is looked at by the builders' inspection; the codes
of both stand in one registry (:mod:`builders.findings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from builders.findings import Finding
from builders.orders import Inspection, TrialBuildResult
from escrow.verification.ladder import Grade, Level, LevelResult, Reason, Verdict
from escrow.verification.parts import CREDENTIALS, SOURCE, SealedPart


@dataclass(frozen=True)
class Required:
    """A material that a product or an agreement names."""

    kind: str
    name: str | None
    required: bool
    max_age_days: int | None

    @property
    def label(self) -> str:
        """The material as it stands in a sentence."""
        return f"'{self.kind}/{self.name}'" if self.name else f"'{self.kind}'"

    def is_met_by(self, part: SealedPart) -> bool:
        """Return whether the part is of this material."""
        return part.kind == self.kind and self.name in (None, part.name)


def merge_required(*lists: Iterable[Required]) -> tuple[Required, ...]:
    """Return the strictest of each material: an agreement may ask for more, never for less."""
    merged: dict[tuple[str, str | None], Required] = {}
    for one in (one for terms in lists for one in terms):
        other = merged.get((one.kind, one.name), one)
        ages = [age for age in (one.max_age_days, other.max_age_days) if age is not None]
        merged[one.kind, one.name] = Required(
            one.kind, one.name, one.required or other.required, min(ages, default=None)
        )
    return tuple(merged.values())


def check_materials(
    parts: Sequence[SealedPart],
    materials: Iterable[Required],
    empty_parts: frozenset[str],
    at: datetime,
) -> list[Finding]:
    """Return what the terms miss in a deposit.

    Args:
        empty_parts: labels of parts that were opened and hold no content.
        at: when the deposit was sealed: its age is judged as of then, whenever that is done.
    """
    findings: list[Finding] = []
    for material in materials:
        held = [part for part in parts if material.is_met_by(part)]
        filled = [part for part in held if part.label not in empty_parts and part.size_bytes]
        if not held:
            findings.append(_missing(material))
        elif not filled and material.required:
            findings.append(Finding("E-MATERIAL-EMPTY", {"material": material.label}))
        findings += [
            _stale(material, part, material.max_age_days)
            for part in held
            if material.max_age_days is not None
            and at - part.as_of > timedelta(days=material.max_age_days)
        ]
    return findings


def check_parts(parts: Iterable[SealedPart], proven: frozenset[str]) -> list[Finding]:
    """Return what follows for every reader from which parts were sent and which were carried.

    Args:
        proven: ids of sent source parts whose own deposit was proven buildable; that result is
            cited for a part carried from it. Other carried source leaves the build untested.
    """
    findings = []
    for part in parts:
        if part.kind == CREDENTIALS:
            findings.append(Finding("E-MATERIAL-CREDENTIALS-UNOPENED", {"part": part.label}))
        if part.is_carried and part.is_client_sealed:
            findings.append(Finding("E-UNPACK-CLIENT-SEALED", {"part": part.label}))
        if part.is_carried:
            unproven = part.kind == SOURCE and part.carried_from not in proven
            code = "E-MATERIAL-NOT-TOGETHER" if unproven else "E-MATERIAL-CARRIED"
            findings.append(Finding(code, {"part": part.label, "as_of": _day(part.as_of)}))
    return findings


def unbuilt_reason(parts: Iterable[SealedPart]) -> Reason:
    """Return why nothing was built, where no finding says it."""
    source = [part for part in parts if part.kind == SOURCE]
    carried = bool(source) and all(part.is_carried for part in source)
    return Reason.CARRIED_FORWARD if carried else Reason.NOTHING_TO_BUILD


def check_sealed_for(parts: Iterable[SealedPart], sealed: frozenset[str]) -> list[Finding]:
    """Return the carried parts that an agreement made later has no header for.

    Args:
        sealed: ids of the sent parts that the agreement has a header for.
    """
    return [
        Finding("E-MATERIAL-NOT-FOR-AGREEMENT", {"part": part.label})
        for part in parts
        if part.carried_from is not None and part.carried_from not in sealed
    ]


# What an inspection cannot know: that the source it misses was carried forward and not opened.
_ABOUT_WHAT_WAS_NOT_OPENED = frozenset({"E-UNPACK-NO-SOURCE", "E-INVENTORY-NO-DOCS"})


def without_unopened(findings: Iterable[Finding], parts: Iterable[SealedPart]) -> list[Finding]:
    """Return an inspection's findings without those that carried source would have answered."""
    carried = any(part.is_carried and part.kind == SOURCE for part in parts)
    dropped = _ABOUT_WHAT_WAS_NOT_OPENED if carried else frozenset()
    return [one for one in findings if one.code not in dropped]


def empty_parts(inspection: Inspection) -> frozenset[str]:
    """Return the labels of the parts that were opened and hold nothing."""
    return frozenset(part.name for part in inspection.parts if not part.total_bytes)


def _missing(material: Required) -> Finding:
    if material.required:
        facts = {"material": material.label, "kind": material.kind}
        return Finding("E-MATERIAL-MISSING", facts)
    return Finding("E-MATERIAL-OPTIONAL-MISSING", {"material": material.label})


def _stale(material: Required, part: SealedPart, days: int | None) -> Finding:
    return Finding(
        "E-MATERIAL-STALE",
        {
            "part": part.label,
            "as_of": _day(part.as_of),
            "max_age_days": str(days),
            "material": material.label,
        },
    )


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


# The longest prefix that a code begins with names its level; a code that none fits is a mistake
# of ours, and a test over the registry finds it.
_LEVEL_OF_PREFIX: Mapping[str, Level | None] = MappingProxyType(
    {
        "E-UNPACK-": Level.INTEGRITY,
        "E-UNPACK-NO-SOURCE": Level.INVENTORY,
        "E-INVENTORY-": Level.INVENTORY,
        "E-INVENTORY-ENCRYPTED-PART": Level.INTEGRITY,
        "E-INVENTORY-TRUNCATED-PART": Level.INTEGRITY,
        "E-MATERIAL-": Level.INVENTORY,
        "E-MATERIAL-NOT-TOGETHER": Level.BUILD,
        "E-RECIPE-": Level.BUILD,
        "E-PLAN-": Level.BUILD,
        "E-BUILD-": Level.BUILD,
        "E-TEST-": Level.BUILD,
        "E-OURS-": None,
    }
)

_REASON_OF_CODE: Mapping[str, Reason] = MappingProxyType(
    {
        "E-UNPACK-CLIENT-SEALED": Reason.CLIENT_SEALED,
        "E-UNPACK-FORMAT": Reason.NOT_OPENED_HERE,
        "E-UNPACK-TOO-LARGE": Reason.NOT_OPENED_HERE,
        "E-MATERIAL-NOT-TOGETHER": Reason.CARRIED_FORWARD,
        "E-PLAN-NOTHING-RECOGNISED": Reason.NOTHING_TO_BUILD,
        "E-PLAN-TOOLCHAIN-NOT-OFFERED": Reason.TOOLCHAIN_NOT_OFFERED,
        "E-PLAN-PACKAGE-MANAGER": Reason.TOOLCHAIN_NOT_OFFERED,
        "E-PLAN-SYSTEM-PACKAGES": Reason.TOOLCHAIN_NOT_OFFERED,
        "E-PLAN-IMAGE-NOT-OFFERED": Reason.TOOLCHAIN_NOT_OFFERED,
    }
)

# A build that fails with one of these would have passed with more in the deposit.
INCOMPLETE_CODES = frozenset(
    {
        "E-BUILD-PYTHON-MISSING",
        "E-BUILD-PYTHON-TOOL-MISSING",
        "E-BUILD-PYTHON-MODULE",
        "E-BUILD-NPM-MISSING",
        "E-BUILD-NODE-MODULE",
        "E-BUILD-NODE-COMMAND",
        "E-BUILD-HEADER-MISSING",
        "E-BUILD-LIBRARY-MISSING",
        "E-BUILD-PACKAGE-CONFIG-MISSING",
        "E-BUILD-COMMAND-MISSING",
        "E-BUILD-FILE-MISSING",
        "E-BUILD-ABSOLUTE-PATH",
        "E-BUILD-MODULE-MISSING",
        "E-BUILD-NETWORK",
        "E-BUILD-SUBMODULE",
    }
)


def level_of(code: str) -> Level | None:
    """Return the level at which a finding weighs; None: it is ours, and weighs at none.

    Raises:
        KeyError: no prefix fits the code.
    """
    fitting = [prefix for prefix in _LEVEL_OF_PREFIX if code.startswith(prefix)]
    if not fitting:
        raise KeyError(code)
    return _LEVEL_OF_PREFIX[max(fitting, key=len)]


def untested_reason(finding: Finding) -> Reason:
    """Return why a level is NOT TESTED, from a finding that says it could not be."""
    return _REASON_OF_CODE.get(finding.code, Reason.NOT_BUILDABLE_HERE)


def judge_levels(
    findings: Sequence[Finding],
    result: TrialBuildResult | None,
    unbuilt: Reason = Reason.NOTHING_TO_BUILD,
) -> tuple[LevelResult, ...]:
    """Return the results at the levels that an examination tested, lowest first.

    Nothing is said of the build where a lower level stopped it.

    Args:
        findings: all that was found, those of the build included.
        result: of the trial build; None when nothing was built. Its verdict is not ``error``:
            our own errors end an attempt and never come here.
        unbuilt: why nothing was built, where no finding says it.
    """
    lower = (
        LevelResult(Level.RECEIVED, Verdict.PASS),
        _by_findings(Level.INTEGRITY, findings),
        _by_findings(Level.INVENTORY, findings),
    )
    building = [one for one in findings if level_of(one.code) is Level.BUILD]
    stopped = any(one.verdict is not Verdict.PASS for one in lower)
    if result is None and stopped and not any(_decides(one) for one in building):
        return lower
    return (*lower, _judge_build(building, result, unbuilt))


def _decides(finding: Finding) -> bool:
    return finding.severity == "fail" or finding.type.untested


def _by_findings(level: Level, findings: Iterable[Finding]) -> LevelResult:
    weighing = [one for one in findings if level_of(one.code) is level]
    if any(one.severity == "fail" for one in weighing):
        return LevelResult(level, Verdict.FAIL)
    untested = [one for one in weighing if one.type.untested]
    if untested:
        return LevelResult(level, Verdict.NOT_TESTED, untested_reason(untested[0]))
    return LevelResult(level, Verdict.PASS)


def _judge_build(
    findings: Sequence[Finding], result: TrialBuildResult | None, unbuilt: Reason
) -> LevelResult:
    """Return the build's result: what failed or was left out outweighs a runner's pass."""
    failing = {one.code for one in findings if one.severity == "fail"}
    untested = [one for one in findings if one.type.untested]
    if failing or (result is not None and result.verdict == "fail"):
        grade = Grade.INCOMPLETE if failing & INCOMPLETE_CODES else None
        return LevelResult(Level.BUILD, Verdict.FAIL, grade=grade)
    if untested:
        return LevelResult(Level.BUILD, Verdict.NOT_TESTED, untested_reason(untested[0]))
    if result is not None and result.verdict == "pass":
        return LevelResult(Level.BUILD, Verdict.PASS, grade=Grade.SELF_CONTAINED)
    return LevelResult(Level.BUILD, Verdict.NOT_TESTED, unbuilt)
