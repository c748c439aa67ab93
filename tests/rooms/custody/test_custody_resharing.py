"""An agent leaves: the key is dealt anew to those of the accepted amendment, by k of the old."""

from __future__ import annotations

import pytest

from agreements.parsing import parse_agreement
from escrow.custody.errors import NotAccepted
from escrow.ground.identifiers import AgreementId
from escrow.parties.permissions import Role
from escrow.vault import records as vault
from escrow.vault.releasing import newest_agents_records

ON_SQLITE_ALONE = True

PARTIES = ("vendor", "beneficiary")


@pytest.fixture
def amended(world) -> dict[str, object]:
    """An amendment that names a fourth agent in the third one's place; nobody has signed it."""
    cast = world.cast
    text = cast.text
    for old, new in (
        (str(cast.signing_key("agent_3").public), str(cast.signing_key("agent_4").public)),
        (str(cast.identity("agent_3").recipient), str(cast.identity("agent_4").recipient)),
        (cast.agreement.agents[2].email, "fay@agent-3-chambers.example"),
    ):
        assert old in text
        text = text.replace(old, new)
    world.join("agent_4", "agent-3-chambers", "fay@agent-3-chambers.example", Role.AGENT)
    filed = world.ask("POST", f"/agreements?amends={world.agreement}", "vendor", content=text)
    assert filed.is_success, filed.text
    return {**filed.json(), "text": text}


def accept(world, amended, *people: str) -> None:
    subject = {"agreement_id": world.agreement}
    subject |= {name: amended[name] for name in ("version", "text_sha256")}
    for who in people:
        world.act(world.agreement, who, "accept-agreement", subject)


def test_k_agents_deal_to_the_new_set_and_keep_what_is_sealed(world, amended) -> None:
    accept(world, amended, *PARTIES, "agent_1", "agent_2", "agent_4")
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    assert world.answer(held, "agent_2")["state"] == "ended"
    with world.database.reading() as session:
        rows = vault.headers_of_agreement(session, AgreementId(world.agreement))
        old, fresh = (newest_agents_records(rows, frozenset({one})) for one in (1, 2))
        holders = vault.shares_of(session, AgreementId(world.agreement), 2)
    assert old.keys() == fresh.keys()
    assert str(world.cast.signing_key("agent_4").public) in {one.signing_key for one in holders}
    # until the canary is opened the version in force and its agents stand
    assert world.do("GET", f"/agreements/{world.agreement}", "vendor")["in_force_version"] == 1
    world.open_canary(world.agreement)
    assert world.do("GET", f"/agreements/{world.agreement}", "vendor")["in_force_version"] == 2
    # the new agent opens what was sealed before he came, with one of the old ones
    world.cast.__dict__["agreement"] = parse_agreement(amended["text"])
    request = world.request(version=2, text_sha256=amended["text_sha256"])
    world.act_on(request, "vendor", "consent-to-release")
    world.confirm(request, "agent_1")
    assert world.confirm(request, "agent_4")["state"] == "released"


def test_nothing_is_dealt_to_agents_whom_a_party_has_not_accepted(world, amended) -> None:
    accept(world, amended, "vendor", "agent_1", "agent_2", "agent_4")
    held = world.begin_session("reshare")
    world.answer(held, "agent_1")
    answer = world.try_answering(held, "agent_2")
    assert answer.json()["code"] == NotAccepted.code
    with world.database.reading() as session:
        newest = vault.newest_epoch(session, AgreementId(world.agreement))
        assert newest is not None and newest.epoch == 1
    # once he accepts, the very answers that were given carry it out
    accept(world, amended, "beneficiary")
    world.rooms.custody.push_on(held)
    assert world.do("GET", f"/custody/sessions/{held}", "agent_1")["state"] == "ended"


def test_the_leaving_agent_cannot_block_and_is_told_nothing_of_the_new_key(world, amended) -> None:
    accept(world, amended, *PARTIES, "agent_1", "agent_2", "agent_4")
    held = world.begin_session("reshare")
    for agent in ("agent_1", "agent_2"):
        world.answer(held, agent)
    gone = world.ask("GET", f"/agreements/{world.agreement}/shares", "agent_3")
    assert gone.json()["code"] == "ceremonies.nothing-dealt"
