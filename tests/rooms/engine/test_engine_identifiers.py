"""Only identifiers pass through the engine."""

from __future__ import annotations

import secrets

import pytest

from escrow.engine.errors import NotAnIdentifier, ResultUnfit
from escrow.engine.identifiers import (
    MAX_RESULT_BYTES,
    check_arguments,
    check_job_name,
    check_key,
    checked_result,
)
from escrow.ground.identifiers import TokenId, new_id
from escrow.parties.token_text import write_token


@pytest.mark.parametrize(
    "value", [pytest.param(new_id("dep"), id="an id"), "integrity", "42", "post-quantum"]
)
def test_ids_words_and_numbers_pass(value: str) -> None:
    check_arguments({"deposit": value})


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/var/lib/escrow/blobs",
        "a sentence of a log",
        "ada@acme.example",
        "AGE-SECRET-KEY-1QQQQQQQQ",
        "c2VjcmV0IGtleSBieXRlcw==",
        pytest.param(secrets.token_hex(16), id="16 bytes"),
        pytest.param(secrets.token_hex(32), id="32 bytes"),
        pytest.param(write_token("demo", TokenId(new_id("tok")))[0], id="a token"),
        "x" * 25,
        "dep_01\n",
    ],
)
def test_what_may_be_a_secret_or_a_text_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(NotAnIdentifier) as caught:
        check_arguments({"deposit": value})
    assert len(value) < 8 or value not in str(caught.value)


def test_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(NotAnIdentifier):
        check_arguments({"deposit": 5})  # type: ignore[dict-item]


@pytest.mark.parametrize("key", ["", "Verify-1", "a b", "a" * 161, "../x", "esc_demo_" + "0" * 26])
def test_bad_key_is_refused(key: str) -> None:
    with pytest.raises(NotAnIdentifier):
        check_key(key)


def test_key_joins_words_and_ids() -> None:
    check_key(f"verify-{new_id('dep')}:{new_id('agr')}.2")


@pytest.mark.parametrize("name", ["", "Verify", "two words", "-x", "x" * 65])
def test_bad_name_is_refused(name: str) -> None:
    with pytest.raises(NotAnIdentifier):
        check_job_name(name)


def test_result_comes_back_as_it_will_after_a_restart() -> None:
    assert checked_result({"codes": ("E-1", "E-2"), "count": 2}) == {
        "codes": ["E-1", "E-2"],
        "count": 2,
    }


@pytest.mark.parametrize(
    "value",
    [
        object(),
        float("nan"),
        "x" * MAX_RESULT_BYTES,
        ["AGE-SECRET-KEY-1QQQ"],
        {"token": write_token("demo", TokenId(new_id("tok")))[0]},
    ],
)
def test_unfit_result_is_refused(value: object) -> None:
    with pytest.raises(ResultUnfit):
        checked_result(value)
