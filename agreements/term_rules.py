"""Rules about terms: calendar and clocks, products and materials, grounds that hold.

As in ``people_rules.py``, blanks were reported before and are passed over.
"""

from __future__ import annotations

from agreements.clocks import calendar_codes, similar_calendars
from agreements.conditions import CONDITION_TYPES
from agreements.disclosure import OPEN_KIND
from agreements.positions import Path
from agreements.reading import Reading, shown
from agreements.terms import Agreement

# Published agreements give the vendor 5 to 10 business days; below, he can hardly answer, and
# above, the beneficiary may stand without service for more than a month.
_SHORT_OBJECTION_DAYS = 5
_LONG_OBJECTION_DAYS = 30

# Levels that prove nothing about whether the deposit can be built.
_LEVELS_WITHOUT_BUILD = ("received", "integrity", "inventory")


def check_terms(agreement: Agreement, reading: Reading) -> None:
    """Report every broken rule and every trap about the terms of an agreement."""
    for rule in (
        _check_calendar,
        _check_clocks,
        _check_products,
        _check_materials,
        _check_verification,
        _check_disclosure,
        _check_evidence,
        _check_bundles,
        _check_cures,
        _check_grounds,
        _check_disputes,
    ):
        rule(agreement, reading)


def _check_calendar(agreement: Agreement, reading: Reading) -> None:
    code = agreement.calendar
    if not code or code in calendar_codes():
        return
    similar = similar_calendars(code)
    reading.report(
        "unknown-calendar",
        ("agreement", "calendar"),
        f"There is no business-day calendar {shown(code)}.",
        f"Did you mean {' or '.join(repr(one) for one in similar)}?"
        if similar
        else 'Name a country or a part of one, such as "DE", "GB-ENG" or "US-NY".',
    )


def _check_clocks(agreement: Agreement, reading: Reading) -> None:
    days, path = agreement.objection_period_business_days, "objection_period_business_days"
    if 0 < days < _SHORT_OBJECTION_DAYS or days > _LONG_OBJECTION_DAYS:
        who = "vendor can hardly answer" if days < _SHORT_OBJECTION_DAYS else "service may be gone"
        reading.report(
            "unusual-objection-period",
            ("agreement", path),
            f"An objection period of {days} business days is unusual: the {who} by then.",
            f"Common are {_SHORT_OBJECTION_DAYS} to 10 business days.",
            "warning",
        )
    if agreement.cadence_days and agreement.grace_days > agreement.cadence_days:
        reading.report(
            "grace-over-cadence",
            ("agreement", "grace_days"),
            "The grace period is longer than the time between two deposits.",
            "Lower grace_days: until it has passed the beneficiary learns of no missed deposit.",
            "warning",
        )


def _check_products(agreement: Agreement, reading: Reading) -> None:
    seen: set[tuple[str, str]] = set()
    for at, terms in enumerate(agreement.products):
        path: Path = ("products", at)
        if terms.vendor and agreement.vendor.organisation not in ("", terms.vendor):
            reading.report(
                "foreign-product",
                (*path, "vendor"),
                f"The product belongs to {terms.vendor}, which is not the vendor.",
                f"Write vendor = {agreement.vendor.organisation!r}.",
            )
        if terms.product and (terms.vendor, terms.product) in seen:
            reading.report(
                "product-twice",
                path,
                f"The product {terms.product} is listed twice.",
                "Put all its materials under one [[products]].",
            )
        seen.add((terms.vendor, terms.product))


def _check_materials(agreement: Agreement, reading: Reading) -> None:
    for at, terms in enumerate(agreement.products):
        seen: set[tuple[str, str | None]] = set()
        for index, material in enumerate(terms.materials):
            if material.kind and (material.kind, material.name) in seen:
                reading.report(
                    "material-twice",
                    ("products", at, "materials", index),
                    f"The material {material.kind} of this name is listed twice.",
                    "Give each its own name, or list it once.",
                )
            seen.add((material.kind, material.name))
        kinds = {material.kind for material in terms.materials if material.required}
        if kinds and "" not in kinds and "source" not in kinds:
            reading.report(
                "source-not-owed",
                ("products", at, "materials"),
                f"The vendor does not owe the source of {terms.product}.",
                'Add kind = "source" with required = true.',
                "warning",
            )


def _check_verification(agreement: Agreement, reading: Reading) -> None:
    if agreement.verification.level in _LEVELS_WITHOUT_BUILD:
        reading.report(
            "level-without-build",
            ("verification", "level"),
            f"The level {agreement.verification.level} does not show that a deposit can be built.",
            'Set level = "build" or higher.',
            "warning",
        )


def _check_disclosure(agreement: Agreement, reading: Reading) -> None:
    for kind, classes in agreement.disclosure.items():
        others = [one for one in classes if one != "vendor"]
        if kind != OPEN_KIND and others:
            reading.report(
                "discloses-early",
                ("disclosure", kind),
                f"{', '.join(others)} will see the product's {kind} before any release.",
                f'Write {kind} = ["vendor"] unless that is meant.',
                "warning",
            )


def _check_evidence(agreement: Agreement, reading: Reading) -> None:
    for at, condition in enumerate(agreement.conditions):
        path: Path = ("conditions", at)
        if condition.type and not condition.evidence:
            usual = ", ".join(CONDITION_TYPES[condition.type].evidence)
            reading.report(
                "condition-without-evidence",
                (*path, "evidence") if reading.holds((*path, "evidence")) else path,
                f"The condition {condition.type} names no evidence, so it invites a dispute.",
                f"Add evidence = […]; usual here: {usual}.",
                "warning",
            )


def _check_bundles(agreement: Agreement, reading: Reading) -> None:
    owed = {material.kind for terms in agreement.products for material in terms.materials}
    for at, condition in enumerate(agreement.conditions):
        path: Path = ("conditions", at)
        if condition.permanence == "temporary" and "access" in condition.frees:
            reading.report(
                "access-not-returnable",
                (*path, "permanence"),
                "Access that was handed over cannot be given back.",
                'Take "access" out of frees, or make the release permanent.',
                "warning",
            )
        # A kind that could not be read ("") may have been meant as data.
        if "data" in condition.frees and owed and not owed & {"data", ""}:
            reading.report(
                "frees-nothing",
                (*path, "frees"),
                'The condition frees "data", but no product names data among its materials.',
                'Add a material of kind = "data", or take it out of frees.',
                "warning",
            )


def _check_cures(agreement: Agreement, reading: Reading) -> None:
    for at, condition in enumerate(agreement.conditions):
        path: Path = ("conditions", at)
        if not condition.curable and condition.cure_days:
            reading.report(
                "cure-of-incurable",
                (*path, "cure_days"),
                "The condition has days to cure, but is not curable.",
                "Write curable = true, or take cure_days out.",
            )
        elif condition.type and condition.curable and condition.cure_days is None:
            reading.report(
                "cure-days-missing",
                (*path, "curable"),
                f"The type {condition.type} has no usual cure period.",
                "Add cure_days = …",
            )


def _check_grounds(agreement: Agreement, reading: Reading) -> None:
    types = {condition.type for condition in agreement.conditions}
    if types and "" not in types and all(CONDITION_TYPES[one].insolvency for one in types):
        reading.report(
            "only-insolvency",
            ("conditions", 0, "type"),
            "Insolvency is the only ground; a court may stay it or set it aside.",
            "Add grounds that come earlier, such as product-discontinued or maintenance-default.",
            "warning",
        )


def _check_disputes(agreement: Agreement, reading: Reading) -> None:
    if agreement.disputes is None:
        reading.report(
            "no-resolver",
            ("disputes",),
            "Nobody is named who decides a disputed request; the service never does.",
            "Add [disputes] with resolver (court, arbiter or expert) and its name.",
            "warning",
        )
