"""Every error of the service has one stable code, and every code one error."""

import importlib
import pkgutil
import re
from collections import Counter

import pytest

import agreements
import builders
import escrow
from escrow.ground.errors import EscrowError
from escrow.portal.problems import STATUS_OF_FAMILY, status_of


def _load_everything() -> None:
    for package in (escrow, agreements, builders):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            parts = module.name.split(".")
            # Entry points act when imported; the inspector and migrations run elsewhere.
            if {"__main__", "inspector", "migrations"} & set(parts):
                continue
            importlib.import_module(module.name)


def _concrete(kind: type[EscrowError]) -> list[type[EscrowError]]:
    found = []
    for child in kind.__subclasses__():
        found += [child, *_concrete(child)]
    return found


_load_everything()
ERRORS = sorted(set(_concrete(EscrowError)), key=lambda kind: kind.__qualname__)


def test_codes_are_unique() -> None:
    own = [kind.code for kind in ERRORS if "code" in kind.__dict__]
    assert [code for code, times in Counter(own).items() if times > 1] == []


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__qualname__)
def test_code_has_the_form_room_subject(kind: type[EscrowError]) -> None:
    assert re.fullmatch(r"[a-z]+(?:[.-][a-z0-9]+)+", kind.code)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__qualname__)
def test_every_error_belongs_to_a_family(kind: type[EscrowError]) -> None:
    families = [family for family, _ in STATUS_OF_FAMILY]
    assert any(issubclass(kind, family) for family in families)


def test_statuses_are_total() -> None:
    assert {status for _, status in STATUS_OF_FAMILY} == {401, 403, 404, 409, 422, 500, 503}
    assert status_of(EscrowError("a.", "b.")) == 500
