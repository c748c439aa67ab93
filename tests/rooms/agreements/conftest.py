from __future__ import annotations

from collections.abc import Callable

import pytest

from agreements.errors import Problem
from agreements.parsing import check_agreement
from escrow.testing.agreements import AgreementCast


@pytest.fixture(scope="session")
def text() -> str:
    """A filled three-party agreement without any problem."""
    return AgreementCast().text


@pytest.fixture
def problems_after(text: str) -> Callable[..., list[Problem]]:
    """Replace a piece of the clean agreement and return what is then found."""

    def check(old: str, new: str) -> list[Problem]:
        assert old in text
        return check_agreement(text.replace(old, new, 1))

    return check


@pytest.fixture
def line_with(text: str) -> Callable[[str], int]:
    """Return the line of the clean agreement in which a piece first stands."""
    return lambda piece: text[: text.index(piece)].count("\n") + 1
