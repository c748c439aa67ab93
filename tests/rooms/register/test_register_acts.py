"""Acts: signed by the pinned key, about exactly this, once."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from escrow.evidence.errors import ActByOtherKey, ActMalformed
from escrow.ground.identifiers import AgreementId
from escrow.ground.signatures import SigningKey
from escrow.register import errors, records
from escrow.register.acceptance import accept
from escrow.register.subjects import (
    acceptance_subject,
    canary_opening_subject,
    recipient_proof_subject,
)


def acceptance(world, view, key, **changes):
    subject = acceptance_subject(view.agreement_id, view.version, view.text_sha256) | changes
    return world.sign(key, "accept-agreement", subject)


def test_an_acceptance_is_kept_verbatim_and_logged(world):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    world.take(view.agreement_id, envelope)
    (row,) = records.acceptances_of(world.session, view.agreement_id, 1)
    assert (row.role, row.organisation) == ("vendor", "northwind")
    assert row.envelope_json.encode()
    assert world.events()[-1] == "register:agreement:accepted"
    assert row.act_sha256.encode() in world.entries()


def test_accept_takes_acceptances_only(world):
    view = world.file()
    proof = world.sign(world.cast.signing_key("vendor"), "open-canary", {})
    with pytest.raises(errors.ActForOther):
        accept(world.session, view.agreement_id, proof, world.scribe, clock=world.clock)
    good = acceptance(world, view, world.cast.signing_key("vendor"))
    taken = accept(world.session, view.agreement_id, good, world.scribe, clock=world.clock)
    assert len(taken.missing) == len(view.missing) - 1


def test_a_key_that_is_not_pinned_signs_nothing(world):
    view = world.file()
    with pytest.raises(errors.SignerNotPinned):
        world.take(view.agreement_id, acceptance(world, view, SigningKey.generate()))


def test_a_changed_act_is_refused_as_the_senders_mistake(world):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    ((key_id, signature),) = envelope.signatures
    forged = dataclasses.replace(envelope, signatures=((key_id, signature[::-1]),))
    with pytest.raises(errors.ActSignatureWrong):
        world.take(view.agreement_id, forged)


def test_an_act_in_anothers_name_is_refused(world):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    agent_id = world.cast.signing_key("agent_1").public.key_id
    renamed = dataclasses.replace(envelope, signatures=((agent_id, envelope.signatures[0][1]),))
    with pytest.raises(ActByOtherKey):
        world.take(view.agreement_id, renamed)


def test_what_is_no_act_is_refused(world):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    with pytest.raises(ActMalformed):
        world.take(view.agreement_id, dataclasses.replace(envelope, payload=b"{}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": True},
        {"version": "1"},
        {"text_sha256": "0" * 64},
        {"agreement_id": "agr_other"},
        {"besides": "something"},
    ],
)
def test_an_acceptance_of_something_else_is_refused(world, changes):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"), **changes)
    with pytest.raises(errors.ActForOther):
        world.take(view.agreement_id, envelope)


def test_an_act_is_taken_once(world):
    view = world.file()
    world.accept(view, "vendor")
    with pytest.raises(errors.ActTaken):
        world.accept(view, "vendor")


@pytest.mark.parametrize("days", [-2, 2])
def test_an_act_from_another_time_is_refused(world, days):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    world.clock.move(timedelta(days=days).total_seconds())
    with pytest.raises(errors.ActTimeImplausible):
        world.take(view.agreement_id, envelope)


def test_an_act_on_an_unknown_agreement_is_not_found(world):
    view = world.file()
    envelope = acceptance(world, view, world.cast.signing_key("vendor"))
    with pytest.raises(errors.AgreementUnknown):
        world.take(AgreementId("agr_nowhere"), envelope)


def test_a_recipient_is_proven_by_what_its_canary_holds(world):
    view = world.file()
    after = world.prove(view.agreement_id, "primary")
    assert [one.need for one in after.missing].count("recipient-proof") == 1
    assert world.events()[-1] == "register:recipient:proven"
    with pytest.raises(errors.ActTaken):
        world.prove(view.agreement_id, "primary")


def test_a_guessed_secret_proves_nothing(world):
    view = world.file()
    recipient = str(world.cast.identity("beneficiary_primary").recipient)
    guess = recipient_proof_subject(view.agreement_id, recipient, bytes(32))
    for subject in (guess, {**guess, "secret": ""}, {**guess, "secret": 5}):
        envelope = world.sign(world.cast.signing_key("beneficiary"), "prove-recipient", subject)
        with pytest.raises(errors.CanarySecretWrong):
            world.take(view.agreement_id, envelope)


def test_the_database_does_not_hold_what_proves_a_recipient(world):
    view = world.file()
    secret = world.open_recipient_canary(view.agreement_id, "primary")
    (row, _) = records.canaries_of(world.session, view.agreement_id)
    for value in (row.salt, row.secret_commitment, row.canary_file.hex()):
        assert secret.hex() not in value


def test_the_canary_of_one_recipient_does_not_prove_another(world):
    view = world.file()
    secret = world.open_recipient_canary(view.agreement_id, "recovery")
    recipient = str(world.cast.identity("beneficiary_primary").recipient)
    subject = recipient_proof_subject(view.agreement_id, recipient, secret)
    envelope = world.sign(world.cast.signing_key("beneficiary"), "prove-recipient", subject)
    with pytest.raises(errors.CanarySecretWrong):
        world.take(view.agreement_id, envelope)


@pytest.mark.parametrize("who", ["vendor", "agent_1"])
def test_nobody_else_proves_a_beneficiarys_recipient(world, who):
    view = world.file()
    with pytest.raises(errors.SignerInOtherRole):
        world.prove(view.agreement_id, "primary", who)


def test_a_recipient_that_is_not_in_the_agreement_has_no_canary(world):
    view = world.file()
    subject = recipient_proof_subject(view.agreement_id, "age1else", bytes(32))
    envelope = world.sign(world.cast.signing_key("beneficiary"), "prove-recipient", subject)
    with pytest.raises(errors.CanaryUnknown):
        world.take(view.agreement_id, envelope)


def test_the_canary_is_opened_by_k_agents_contributions(world):
    view = world.file()
    world.hold_ceremony(view.agreement_id)
    after = world.open_canary(view.agreement_id, "agent_3", "agent_1")
    assert {"ceremony", "canary"}.isdisjoint(one.need for one in after.missing)
    assert world.events()[-1] == "register:ceremony:canary-opened"
    with pytest.raises(errors.ActTaken):
        world.open_canary(view.agreement_id, "agent_3", "agent_1")


@pytest.mark.parametrize("who", ["vendor", "beneficiary"])
def test_only_an_agent_states_that_the_canary_opened(world, who):
    view = world.file()
    world.hold_ceremony(view.agreement_id)
    with pytest.raises(errors.SignerInOtherRole):
        world.open_canary(view.agreement_id, "agent_1", "agent_2", signer=who)


@pytest.mark.parametrize("contributors", [[1], [1, 1], [0, 1], [1, 4], ["1", "2"], "12", None])
def test_contributors_are_k_different_dealt_shares(world, contributors):
    view = world.file()
    world.hold_ceremony(view.agreement_id)
    epoch, _, secret = world.combine(view.agreement_id, "agent_1", "agent_2")
    subject = canary_opening_subject(view.agreement_id, epoch, [1, 2], secret)
    envelope = world.sign(
        world.cast.signing_key("agent_1"), "open-canary", subject | {"contributors": contributors}
    )
    with pytest.raises(errors.ContributorsWrong):
        world.take(view.agreement_id, envelope)


def test_a_canary_secret_cannot_be_guessed_or_taken_from_the_epoch_before(world):
    view = world.file()
    world.hold_ceremony(view.agreement_id)
    old_epoch, contributors, secret = world.combine(view.agreement_id, "agent_1", "agent_2")
    world.hold_ceremony(view.agreement_id)
    key = world.cast.signing_key("agent_1")
    old = canary_opening_subject(view.agreement_id, old_epoch, contributors, secret)
    with pytest.raises(errors.CeremonyNotHeld):
        world.take(view.agreement_id, world.sign(key, "open-canary", old))
    with pytest.raises(errors.CanarySecretWrong):
        world.take(view.agreement_id, world.sign(key, "open-canary", old | {"epoch": 2}))


def test_without_a_ceremony_there_is_no_canary(world):
    view = world.file()
    subject = canary_opening_subject(view.agreement_id, 1, [1, 2], bytes(32))
    envelope = world.sign(world.cast.signing_key("agent_1"), "open-canary", subject)
    with pytest.raises(errors.CeremonyNotHeld):
        world.take(view.agreement_id, envelope)
