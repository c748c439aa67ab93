"""Which texts count as in force: by everybody's own signed acts, and by no word of the portal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from agreements.parsing import reread_agreement
from agreements.terms import Person
from escrow.evidence.acts import build_act, sign_act
from escrow.ground.digests import sha256_hex
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.errors import ChainBroken
from escrow.ledger.events import Event, Stream
from escrow.register.errors import AgreementTextTampered
from escrow.register.governing import ACCEPT_ACT, ACCEPTED, FILED, IN_FORCE, texts_of
from escrow.register.subjects import acceptance_subject
from escrow.testing.agreements import AgreementCast

AT = datetime(2026, 1, 1, tzinfo=UTC)
CAST = AgreementCast()
OTHERS = AgreementCast(vendor="elsewhere")
EVERYBODY = ("vendor", "beneficiary", "agent_1", "agent_2", "agent_3")


def text(number: int) -> str:
    return CAST.text.replace("grace_days = 14", f"grace_days = {14 + number}")


class History:
    """The events of one agreement, as a portal writes them, honest or not."""

    def __init__(self) -> None:
        self.events: list[ChainedEvent] = []
        self.terms = {1: reread_agreement(text(1)), 2: reread_agreement(text(2))}

    def write(self, kind: str, version: int, role: str = "portal", **more: object) -> None:
        data = {"version": version, "text_sha256": self.terms[version].text_sha256, **more}
        at = len(self.events)
        event = Event(Stream("agreement", "agr_1"), at, None, kind, role, "x", AT, "0" * 64, data)
        self.events.append(ChainedEvent(sha256_hex(str(at).encode()), event))

    def file(self, version: int) -> History:
        self.write(FILED, version)
        return self

    def accept(
        self,
        version: int,
        *who: str,
        cast: AgreementCast = CAST,
        act: str = ACCEPT_ACT,
        other: Mapping[str, object] = MappingProxyType({}),
    ) -> History:
        digest = self.terms[version].text_sha256
        subject = acceptance_subject("agr_1", version, digest) | dict(other)
        for one in who:
            key = cast.signing_key(one)
            envelope = sign_act(build_act(act, subject, key.public, AT), key)
            self.write(ACCEPTED, version, act=envelope.to_json())
        return self

    def call(self, version: int) -> History:
        self.write(IN_FORCE, version)
        return self

    def in_force(self) -> list[int]:
        return [one.version for one in texts_of(self.events, self.terms.__getitem__).in_force]


def first() -> History:
    return History().file(1).accept(1, *EVERYBODY).call(1)


def person(cast: AgreementCast, who: str, signs: str = "single") -> Person:
    return Person(who, f"{who}@x.example", str(cast.signing_key(who).public), signs)


def vendor_of(history: History, version: int, *persons: Person) -> None:
    """Pin other persons of the vendor in a version."""
    terms = history.terms[version]
    digest = sha256_hex(f"{version} {persons}".encode())
    vendor = replace(terms.vendor, persons=persons)
    history.terms[version] = replace(terms, vendor=vendor, text_sha256=digest)


def test_what_everybody_accepted_counts_and_its_amendment_as_well() -> None:
    history = first().file(2).accept(2, *EVERYBODY).call(2)
    assert history.in_force() == [1, 2]
    last = texts_of(history.events, history.terms.__getitem__).last
    assert last.accepted_by == {str(CAST.signing_key(one).public) for one in EVERYBODY}


@pytest.mark.parametrize("absent", EVERYBODY)
def test_what_one_has_not_accepted_does_not_count(absent) -> None:
    rest = [one for one in EVERYBODY if one != absent]
    assert History().file(1).accept(1, *rest).call(1).in_force() == []
    assert first().file(2).accept(2, *rest).call(2).in_force() == [1]


def test_newcomers_cannot_put_themselves_in_the_parties_place() -> None:
    history = first()
    history.terms[2] = OTHERS.agreement
    history.file(2).accept(2, *EVERYBODY, cast=OTHERS).call(2)
    assert history.in_force() == [1]
    # and their text need not even be readable to be passed over
    del history.terms[2]
    assert history.in_force() == [1]


def test_who_is_replaced_accepts_his_successor() -> None:
    def amended() -> History:
        history = first()
        vendor_of(history, 2, person(CAST, "successor"))
        return history.file(2).accept(2, *EVERYBODY[1:])

    assert amended().accept(2, "successor").call(2).in_force() == [1]
    assert amended().accept(2, "vendor").call(2).in_force() == [1]
    assert amended().accept(2, "successor", "vendor").call(2).in_force() == [1, 2]


def test_who_left_blocks_nothing_while_another_pinned_person_binds_his_party() -> None:
    history = History()
    vendor_of(history, 1, person(CAST, "left"), person(CAST, "stays"))
    history.file(1).accept(1, "left", *EVERYBODY[1:]).call(1)
    vendor_of(history, 2, person(CAST, "stays"), person(CAST, "successor"))
    history.file(2).accept(2, "stays", *EVERYBODY[1:]).call(2)
    assert history.in_force() == [1, 2]


def test_one_joint_signatory_does_not_bind_his_party_to_an_amendment() -> None:
    def amended(*who: str) -> list[int]:
        history = History()
        pinned = [person(CAST, one, "joint") for one in ("one", "two", "three")]
        vendor_of(history, 1, *pinned)
        history.file(1).accept(1, "one", "two", *EVERYBODY[1:]).call(1)
        vendor_of(history, 2, person(CAST, "one"))
        return history.file(2).accept(2, *who, *EVERYBODY[1:]).call(2).in_force()

    assert amended("one") == [1]
    assert amended("one", "three") == [1, 2]


def test_an_older_version_cannot_come_back() -> None:
    assert first().file(2).accept(2, *EVERYBODY).call(2).call(1).in_force() == [1, 2]


def test_a_version_that_another_took_the_place_of_comes_back_by_nobodys_word() -> None:
    history = History()
    history.terms[3] = reread_agreement(text(3))
    history.file(1).accept(1, *EVERYBODY).call(1)
    history.file(2).accept(2, *EVERYBODY).file(3).call(2)
    assert history.in_force() == [1]


def test_a_second_text_under_a_number_is_none() -> None:
    history = first().file(2)
    history.terms[2] = reread_agreement(text(7))
    history.file(2).accept(2, *EVERYBODY).call(2)
    assert history.in_force() == [1]


def test_what_is_signed_later_gives_no_force_backwards() -> None:
    history = first().file(2).accept(2, *EVERYBODY[1:]).call(2).accept(2, "vendor")
    assert history.in_force() == [1]
    assert history.call(2).in_force() == [1, 2]


@pytest.mark.parametrize(
    "other",
    [{"agreement_id": "agr_2"}, {"version": 1}, {"text_sha256": "f" * 64}, {"more": "words"}],
)
def test_an_acceptance_of_something_else_is_none(other) -> None:
    history = first().file(2).accept(2, *EVERYBODY[1:]).accept(2, "vendor", other=other).call(2)
    assert history.in_force() == [1]


def test_another_act_is_no_acceptance() -> None:
    history = first().file(2).accept(2, *EVERYBODY[1:])
    assert history.accept(2, "vendor", act="place-hold").call(2).in_force() == [1]


def test_an_acceptance_that_the_person_did_not_sign_is_none() -> None:
    history = first().file(2).accept(2, *EVERYBODY[1:])
    key, forger = CAST.signing_key("vendor"), OTHERS.signing_key("vendor")
    subject = acceptance_subject("agr_1", 2, history.terms[2].text_sha256)
    by_forger = sign_act(build_act(ACCEPT_ACT, subject, forger.public, AT), forger).to_json()
    honest = sign_act(build_act(ACCEPT_ACT, subject, key.public, AT), key).to_json()
    history.write(ACCEPTED, 2, act={**honest, "signatures": by_forger["signatures"]})
    history.write(ACCEPTED, 2, act={"payload": "nothing"})
    assert history.call(2).in_force() == [1]


def test_an_entry_of_another_role_brings_nothing_into_force() -> None:
    history = first().file(2).accept(2, *EVERYBODY)
    history.write(IN_FORCE, 2, role="worker")
    assert history.in_force() == [1]


def test_an_accepted_text_that_was_exchanged_is_noticed() -> None:
    history = first()
    history.terms[1] = reread_agreement(text(7))
    with pytest.raises(AgreementTextTampered):
        history.in_force()


def test_a_history_without_its_beginning_is_none() -> None:
    history = first().file(2).accept(2, *EVERYBODY).call(2)
    with pytest.raises(ChainBroken):
        texts_of(history.events[1:], history.terms.__getitem__)


def test_a_text_that_waits_counts_once_nobodys_acceptance_is_missing() -> None:
    history = first().file(2).accept(2, *EVERYBODY[1:])
    assert texts_of(history.events, history.terms.__getitem__).counting(2) is None
    history.accept(2, "vendor")
    texts = texts_of(history.events, history.terms.__getitem__)
    assert texts.counting(2) == history.terms[2]
    assert texts.last.version == 1


def test_a_number_far_ahead_does_not_end_an_agreement_for_ever() -> None:
    """A portal that was taken over files a number that no honest amendment ever reaches."""
    history = first()
    history.terms[10**9] = OTHERS.agreement
    history.file(10**9)
    history.file(2).accept(2, *EVERYBODY).call(2)
    assert history.in_force() == [1, 2]
