"""The rule of standing, over values alone."""

from __future__ import annotations

from dataclasses import replace

from agreements.terms import Person
from escrow.register.status import KeySetup, Progress, is_dealt_for, status_of
from escrow.testing.agreements import AgreementCast

TERMS = AgreementCast().agreement
KEYS = frozenset(one.signing_key for one in TERMS.signatories())
RECIPIENTS = frozenset(one.recipient for one in TERMS.beneficiaries[0].recipients)
SETUP = KeySetup(
    epoch=1,
    k=2,
    share_recipients=tuple(agent.share_recipient for agent in TERMS.agents),
    opened_by=frozenset({TERMS.agents[0].signing_key}),
)
DONE = Progress(accepted_by=KEYS, proven_recipients=RECIPIENTS, key_setup=SETUP)


def needs(progress: Progress, terms=TERMS) -> list[str]:
    return [one.need for one in status_of(terms, progress).missing]


def joint(*keys: str):
    """Return terms whose vendor is bound by two of three joint signers only."""
    persons = tuple(
        Person(f"P{at}", f"p{at}@x.example", key, "joint") for at, key in enumerate(keys)
    )
    return replace(TERMS, vendor=replace(TERMS.vendor, persons=persons))


def test_nothing_missing_is_in_force():
    assert status_of(TERMS, DONE).standing == "in-force"


def test_nothing_done_is_a_draft():
    nothing = Progress(frozenset(), frozenset(), None)
    assert status_of(TERMS, nothing).standing == "draft"
    assert needs(nothing) == ["acceptance"] * 5 + ["recipient-proof"] * 2 + ["ceremony"]


def test_one_who_signs_jointly_does_not_bind_alone():
    others = KEYS - {TERMS.vendor.persons[0].signing_key}
    one = replace(DONE, accepted_by=others | {"a"})
    (missing,) = status_of(joint("a", "b", "c"), one).missing
    assert missing.who == "P1 or P2 of northwind"
    assert "second who signs jointly" in missing.what
    both = replace(DONE, accepted_by=others | {"a", "c"})
    assert status_of(joint("a", "b", "c"), both).standing == "in-force"


def test_keys_of_other_people_accept_nothing():
    assert "acceptance" in needs(replace(DONE, accepted_by=frozenset({"ed25519:else"})))


def test_a_canary_opened_by_somebody_else_does_not_count():
    setup = replace(SETUP, opened_by=frozenset({"ed25519:else"}))
    assert needs(replace(DONE, key_setup=setup)) == ["canary"]


def test_keys_dealt_with_another_k_do_not_count():
    assert needs(replace(DONE, key_setup=replace(SETUP, k=3))) == ["ceremony"]


def test_keys_dealt_to_other_agents_do_not_count():
    fewer = replace(SETUP, share_recipients=SETUP.share_recipients[:2])
    assert not is_dealt_for(fewer, TERMS)
    twice = replace(SETUP, share_recipients=(*SETUP.share_recipients[:2],) * 2)
    assert not is_dealt_for(twice, TERMS)


def test_what_came_into_force_stays_so():
    lapsed = Progress(frozenset(), frozenset(), None, is_in_force=True)
    assert status_of(TERMS, lapsed).standing == "in-force"


def test_what_was_replaced_lacks_nothing_any_more():
    gone = replace(DONE, accepted_by=frozenset(), is_superseded=True)
    assert status_of(TERMS, gone) == status_of(TERMS, replace(gone, key_setup=None))
    assert status_of(TERMS, gone).standing == "superseded"


def test_every_missing_step_says_who_and_with_which_command():
    nothing = Progress(frozenset(), frozenset(), None)
    opened = replace(DONE, key_setup=replace(SETUP, opened_by=frozenset()))
    for missing in (*status_of(TERMS, nothing).missing, *status_of(TERMS, opened).missing):
        assert "escrow " in missing.what
        assert missing.what.endswith(".")
        assert missing.who
