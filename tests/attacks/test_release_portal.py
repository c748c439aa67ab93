"""The portal is taken over: its role key signs, its rooms lie; shares and objections must hold."""

from __future__ import annotations

import pytest

from escrow.ground.errors import Tampered
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.chains import Chain, verify_chain
from escrow.ledger.events import NewEvent, Stream
from escrow.releases.errors import HistoryBroken
from escrow.releases.history import fold
from escrow.vault import age
from escrow.vault import records as vault


@pytest.fixture
def world(release_world):
    return release_world


@pytest.fixture
def approved(world) -> str:
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    return request


def forge(world, kind: str, data: dict[str, object]) -> None:
    """Write an event under the portal's own role, and let the keyholder sequence it."""
    event = NewEvent(Stream("agreement", world.agreement), kind, "keyholder", data)
    with world.database.writing() as session:
        world.rooms.scribe.append(session, event)
    world.keyholder.sequence()


def sent_to_agents(world, request: str):
    """What an agent's client folds, out of what the portal hands it."""
    from escrow.ledger.chains import read_chain

    stream = Stream("agreement", world.agreement)
    with world.database.reading() as session:
        sent = read_chain(session, stream).to_json()
    chain = verify_chain(Chain.from_json(sent), world.ledger.keys, stream)
    return fold(chain.events, RequestId(request), world.cast.agreement)


def test_a_round_is_opened_by_the_portal_for_a_key_of_its_own(world, monkeypatch) -> None:
    monkeypatch.setattr(world.keyholder, "open_confirmation", lambda _: None)
    request = world.request()
    world.act_on(request, "vendor", "consent-to-release")
    own = str(age.new_hybrid_identity().recipient)
    data = {"request_id": request, "round": 1, "one_time_recipient": own}
    data |= {"offer_sha256": "0" * 64, "deposits": 1, "epoch": 1, "k": 2}
    forge(world, "releases:confirmation:opened", data)
    with pytest.raises(HistoryBroken):
        sent_to_agents(world, request)


def test_an_intent_is_forged_so_that_an_objection_looks_late(world, approved) -> None:
    forge(world, "releases:release:intended", {"request_id": approved, "confirmations": []})
    with pytest.raises(Tampered):
        world.keyholder.execute_release(RequestId(approved))


def test_an_agent_gives_the_share_of_another(world, approved) -> None:
    """Two confirmations over one share would leave an intent that nobody can carry out."""
    world.confirm(approved, "agent_1")
    shares = world.confirmation_body(approved, "agent_1")["shares"]
    body = world.confirmation_body(approved, "agent_2", shares_of="agent_1")
    assert shares[0]["index"] == body["shares"][0]["index"]
    answer = world.ask("POST", f"/requests/{approved}/confirmations", "agent_2", json=body)
    assert answer.json()["code"] == "vault.share-of-another"
    assert world.confirm(approved, "agent_3")["state"] == "released"


def test_a_document_of_another_product_is_slipped_under_the_release(world, approved) -> None:
    with world.database.reading() as session:
        (deposit,) = {
            one.deposit_id
            for one in vault.headers_of_agreement(session, AgreementId(world.agreement))
        }
        real = vault.documents_of(session, deposit)[0]
    strange = "doc_strange"
    columns = ", ".join(name for name in type(real).model_fields if name != "id")
    world.ledger.tamper(
        f"INSERT INTO document (id, {columns}) SELECT ?, {columns} FROM document WHERE id = ?",
        strange,
        real.id,
    )
    world.confirm(approved, "agent_1")
    answer = world.try_confirming(approved, "agent_2")
    assert answer.json()["code"] == "releases.offer-broken"
    world.ledger.tamper("DELETE FROM document WHERE id = ?", strange)
    assert world.rooms.driver.push_on(RequestId(approved)) == "released"
