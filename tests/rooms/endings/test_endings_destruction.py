"""All under an agreement is destroyed: asked for, served, waited for, confirmed, certified."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from escrow.evidence.checking import check_document
from escrow.evidence.snapshots import VOUCH_ACT, Agents, vouch_subject
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ground.signatures import PublicKey
from escrow.testing.endings import WORDS
from escrow.testing.timestamps import waits_for_time
from escrow.vault import records as vault
from escrow.vault.errors import KeyDestroyed, KeyStillThere
from escrow.vault.lasting_headers import key_id_of


@pytest.fixture
def world(release_world):
    return release_world


def headers(world) -> int:
    with world.database.reading() as session:
        return len(vault.headers_of_agreement(session, AgreementId(world.agreement)))


def key_manager(world):
    return world.keyholder._on.keys


def test_asked_for_served_waited_for_confirmed_and_certified(world, endings) -> None:
    ending = endings.request_destruction()
    done = endings.act("beneficiary", "acknowledge-destruction", ending)
    assert done["state"] == "served"
    world.clock.moment += timedelta(days=32)
    world.rooms.endings.push_all_on()
    assert endings.confirm(ending, "agent_1")["state"] == "confirming"
    assert headers(world) > 0
    assert endings.confirm(ending, "agent_2")["state"] == "destroyed"
    assert headers(world) == 0
    key_id = key_id_of(AgreementId(world.agreement))
    with pytest.raises(KeyDestroyed):
        key_manager(world).wrap(key_id, b"x", b"")
    text = world.ask("GET", f"/endings/{ending}/certificate", "beneficiary").text
    assert waits_for_time(world.database, text)
    checked = check_document(text, world.ledger.trust_root)
    assert checked.kind.title == "destruction certificate"
    said = checked.predicate
    (key,) = said["keys"]
    assert (key["id"], key["manager"]) == (key_id, "key files of this service")
    assert [one["version"] for one in key["versions"]] == [1]
    assert key["versions"][0]["madeAt"]
    # In the key manager's own words.
    assert key["receipt"] == key_manager(world).account_of(key_id).answer
    assert f"no {key_id}.key, {key_id}.destroyed of " in key["receipt"]
    assert said["backupHorizon"]["days"] == 35
    assert len(said["confirmations"]["acts"]) == 2
    assert said["unreadablePayloads"]
    assert checked.facts()["agreement"] == world.agreement


def test_a_changed_certificate_is_refused(world, endings) -> None:
    ending = endings.until_confirmable()
    root = world.ledger.trust_root
    for agent in ("agent_1", "agent_2"):
        body = world.signed(agent, VOUCH_ACT, vouch_subject(world.agreement, root.sha256()))
        world.do("POST", f"/agreements/{world.agreement}/acts", agent, json=body)
        endings.confirm(ending, agent)
    document = world.do("GET", f"/endings/{ending}/certificate", "vendor")
    # The pinned keys are not needed once agents vouch for them.
    keys = tuple(PublicKey.parse(one.signing_key) for one in world.cast.agreement.agents)
    assert check_document(json.dumps(document), None, [Agents(keys, 2)]).believed.vouched
    text = json.dumps(document).replace(key_of(document), "A" + key_of(document)[1:])
    with pytest.raises(Exception, match=r"sign|statement|document"):
        check_document(text, world.ledger.trust_root)


def key_of(document) -> str:
    return document["bundle"]["dsseEnvelope"]["payload"]


def test_afterwards_nothing_is_deposited_and_no_act_is_taken(world, endings) -> None:
    ending = endings.until_confirmable()
    for agent in ("agent_1", "agent_2"):
        endings.confirm(ending, agent)
    answer = world.ask("POST", f"{world.product_path}/deposits", "vendor")
    assert answer.is_error
    answer = world.try_filing(world.request_subject())
    assert answer.json()["code"] == "register.agreement-ended"
    world.rooms.endings.push_all_on()


def test_an_agent_states_service_with_its_proof(world, endings) -> None:
    ending = endings.request_destruction()
    beneficiary = world.cast.beneficiary
    service = {"beneficiary": beneficiary, "method": "courier", "proof_sha256": sha256_hex(WORDS)}
    day = world.clock.now().date().isoformat()
    done = endings.act("agent_1", "state-destruction-service", ending, day=day, **service)
    assert done["state"] == "served"


def test_a_beneficiary_objects(world, endings) -> None:
    ending = endings.until_confirmable()
    done = endings.act(
        "beneficiary", "object-to-destruction", ending, statement_sha256=sha256_hex(WORDS)
    )
    assert done["state"] == "objected"
    answer = world.ask("GET", f"/endings/{ending}/confirmation", "agent_1")
    assert answer.json()["code"] == "endings.step-not-possible"


@pytest.mark.parametrize("place", ["_destroy", "_certified"])
def test_killed_after_the_intent_it_is_taken_up_again(world, endings, place, monkeypatch) -> None:
    ending = endings.until_confirmable()
    endings.confirm(ending, "agent_1")
    where = "escrow.operations.keyholder.endings"
    target = f"{where}.Endings._destroy" if place == "_destroy" else f"{where}.sign_statement"
    with monkeypatch.context() as killed:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        killed.setattr(world.rooms.endings.keyholder, "destroy_agreement", lambda _: None)
        endings.confirm(ending, "agent_2")
        killed.undo()
        killed.setattr(target, die)
        with pytest.raises(KeyboardInterrupt):
            world.keyholder.destroy_agreement(ending)
    assert world.do("GET", f"/endings/{ending}", "vendor")["state"] == "destroying"
    world.rooms.endings.push_all_on()
    assert world.do("GET", f"/endings/{ending}", "vendor")["state"] == "destroyed"
    document = world.do("GET", f"/endings/{ending}/certificate", "vendor")
    (key,) = json.loads(base64.b64decode(key_of(document)))["predicate"]["keys"]
    # Also of a key that was gone before: the intent has kept what the manager said of it.
    assert [one["version"] for one in key["versions"]] == [1]
    assert headers(world) == 0


def test_a_key_that_its_manager_does_not_let_go_is_certified_by_nobody(
    world, endings, monkeypatch
) -> None:
    ending = endings.until_confirmable()
    endings.confirm(ending, "agent_1")
    with monkeypatch.context() as stuck:
        stuck.setattr(key_manager(world), "destroy_key", lambda _: None)
        endings.confirm(ending, "agent_2")
        with pytest.raises(KeyStillThere):
            world.keyholder.destroy_agreement(ending)
    assert world.ask("GET", f"/endings/{ending}/certificate", "vendor").is_error
    assert headers(world) > 0
    world.keyholder.destroy_agreement(ending)
    assert headers(world) == 0


def test_without_a_backup_horizon_nothing_is_destroyed(world, endings, monkeypatch) -> None:
    keyholder = world.keyholder.destroy_agreement.__self__
    monkeypatch.setattr(keyholder, "_horizon_days", None)
    ending = endings.until_confirmable()
    endings.confirm(ending, "agent_1")
    assert endings.confirm(ending, "agent_2")["state"] == "confirming"
    assert headers(world) > 0
