"""The numbered cases of an examination: what is asked of a deposit at each level; pure.

Guarantees: a number is never reused, and every registered finding belongs to exactly one case. A
case is listed as passed only where it was really asked: at a level that failed, nothing behind the
first failed case counts as asked, and at a level that was not tested nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from builders.findings import Finding
from escrow.verification.ladder import Level, LevelResult, Verdict, levels_up_to

CATALOGUE = "escrow-cases/1"


@dataclass(frozen=True)
class Case:
    """One question.

    Args:
        number: stable; in statements it stands before the title.
        codes: of findings that answer it badly, whole or as far as the last dash.
    """

    number: str
    level: Level
    title: str
    codes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The case as statements list it."""
        return f"{self.number} {self.title}"


CASES: tuple[Case, ...] = (
    Case("R01", Level.RECEIVED, "every byte counted and hashed while it was sealed", ()),
    Case(
        "I01",
        Level.INTEGRITY,
        "every part opens and can be read to its end",
        ("E-UNPACK-", "E-INVENTORY-TRUNCATED-PART"),
    ),
    Case("I02", Level.INTEGRITY, "no archive is a bomb", ("E-UNPACK-BOMB",)),
    Case(
        "I03",
        Level.INTEGRITY,
        "no entry is a device, leaves its archive or comes twice",
        ("E-UNPACK-UNSAFE-NAME", "E-UNPACK-SPECIAL-FILE", "E-UNPACK-DUPLICATE"),
    ),
    Case("I04", Level.INTEGRITY, "no part is encrypted", ("E-INVENTORY-ENCRYPTED-PART",)),
    Case("V01", Level.INVENTORY, "there is source", ("E-UNPACK-NO-SOURCE",)),
    Case("V02", Level.INVENTORY, "submodules are filled", ("E-INVENTORY-SUBMODULE-MISSING",)),
    Case("V03", Level.INVENTORY, "large files are no pointers", ("E-INVENTORY-LFS-POINTER",)),
    Case(
        "V04",
        Level.INVENTORY,
        "files are whole, readable, and named alike everywhere",
        ("E-INVENTORY-",),
    ),
    Case("V05", Level.INVENTORY, "instructions are there", ("E-INVENTORY-NO-DOCS",)),
    Case("V06", Level.INVENTORY, "every required material is there", ("E-MATERIAL-",)),
    Case("V07", Level.INVENTORY, "every material is young enough", ("E-MATERIAL-STALE",)),
    Case("B01", Level.BUILD, "source was sent together", ("E-MATERIAL-NOT-TOGETHER",)),
    Case("B02", Level.BUILD, "there is a recipe that can be read", ("E-RECIPE-",)),
    Case("B03", Level.BUILD, "what the recipe asks for is offered here", ("E-PLAN-",)),
    Case("B04", Level.BUILD, "every component builds without network", ("E-BUILD-",)),
    Case(
        "B05",
        Level.BUILD,
        "the build makes what it says it makes",
        (
            "E-BUILD-NOTHING-BUILT",
            "E-BUILD-NO-ARTIFACT",
            "E-BUILD-ARTIFACT-MISSING",
            "E-BUILD-ARTIFACT-DEPOSITED",
        ),
    ),
    Case("B06", Level.BUILD, "the deposit's own tests pass", ("E-TEST-",)),
)


@dataclass(frozen=True)
class CaseResults:
    """The cases that were asked, by outcome, in the order of the catalogue."""

    passed: tuple[Case, ...]
    warned: tuple[Case, ...]
    failed: tuple[Case, ...]


def case_of(code: str) -> Case:
    """Return the case that a finding answers; the longest fitting entry counts.

    Raises:
        KeyError: none does, and the catalogue is to be completed.
    """
    fitting = [
        (len(entry), case)
        for case in CASES
        for entry in case.codes
        if code == entry or (entry.endswith("-") and code.startswith(entry))
    ]
    if not fitting:
        raise KeyError(code)
    return max(fitting, key=lambda one: one[0])[1]


def results_of_cases(
    ladder: Sequence[LevelResult], findings: Iterable[Finding], ordered: Level
) -> CaseResults:
    """Return how the cases of the levels up to the ordered one came out.

    Args:
        ladder: the results at each level.
        findings: all of the judgement; those that weigh at no level are ours and answer no case.
    """
    weights = _weights(findings)
    passed: list[Case] = []
    warned: list[Case] = []
    failed: list[Case] = []
    verdicts = {one.level: one.verdict for one in ladder}
    for level in levels_up_to(ordered):
        reached_end = verdicts.get(level) is Verdict.PASS
        asked = reached_end or verdicts.get(level) is Verdict.FAIL
        for case in (one for one in CASES if one.level is level):
            severity = weights.get(case.number)
            if severity == "fail":
                failed.append(case)
                asked = reached_end
            elif severity == "warn" and asked:
                warned.append(case)
            elif asked:
                passed.append(case)
    return CaseResults(tuple(passed), tuple(warned), tuple(failed))


def _weights(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the heaviest severity that was found for each case."""
    weights: dict[str, str] = {}
    for one in findings:
        if one.code.startswith("E-OURS-"):
            continue
        number = case_of(one.code).number
        if one.severity == "fail" or weights.get(number) != "fail":
            known = weights.get(number)
            weights[number] = "warn" if known == "warn" and one.severity == "info" else one.severity
    return weights
