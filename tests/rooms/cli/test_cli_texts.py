"""An agent gives nothing under a text that he has not accepted, whatever the service says."""

from __future__ import annotations

import json

from escrow.evidence.dsse import Envelope
from escrow.ground.identifiers import AgreementId
from escrow.parties.permissions import Role
from escrow.register import records as register
from escrow.register.subjects import acceptance_subject
from tests.attacks.forging import call_in_force, exchanged
from tests.rooms.cli.conftest import Desk
from tests.rooms.cli.lines import LINES, Line


def line(command: str) -> Line:
    return next(one for one in LINES if one.command == command)


def test_a_session_that_deals_to_a_text_that_the_agent_never_accepted(desk: Desk) -> None:
    world = desk.world
    call_in_force(world, exchanged(world, ("agent_3", "forger")))
    session = world.begin_session("session")
    desk.things["drill"] = session
    done = desk.type(line("ceremony answer"), "--json")
    problem = done.problem()
    assert problem["code"] == "cli.text-not-accepted"
    assert problem["reason"] == f"You have not accepted version 2 of {world.agreement}."
    assert "Answered" not in done.out


def test_an_acceptance_that_another_signed_stands_for_nobody(desk: Desk) -> None:
    """The service sends a colleague's signature as the agent's own."""
    world = desk.world
    call_in_force(world, exchanged(world, ("agent_3", "forger")))
    agreement, forger = AgreementId(world.agreement), world.cast.signing_key("forger")
    with world.database.writing() as session:
        row = register.newest_version(session, agreement)
        subject = acceptance_subject(agreement, 2, row.text_sha256)
        envelope = Envelope.from_json(world.signed("forger", "accept-agreement", subject))
        own = str(world.cast.signing_key("agent_1").public)
        assert own != str(forger.public)
        kept = register.acceptances_of(session, agreement, 1)[0].model_dump()
        changed = {"version": 2, "signing_key": own, "act_sha256": "f" * 64}
        text = json.dumps(envelope.to_json())
        register.add(session, register.AcceptanceRow(**kept | changed | {"envelope_json": text}))
    desk.things["drill"] = world.begin_session("session")
    done = desk.type(line("ceremony answer"), "--json")
    assert done.problem()["code"] == "cli.text-not-accepted"


def test_an_agent_who_leaves_takes_part_once_every_party_has_accepted(desk: Desk) -> None:
    world = desk.world
    text = exchanged(world, ("agent_1", "agent_4"))
    text = text.replace(world.cast.agreement.agents[0].email, "fay@agent-1-chambers.example")
    world.join("agent_4", "agent-1-chambers", "fay@agent-1-chambers.example", Role.AGENT)
    filed = world.ask("POST", f"/agreements?amends={world.agreement}", "vendor", content=text)
    assert filed.is_success, filed.text
    subject = acceptance_subject(world.agreement, 2, filed.json()["text_sha256"])
    for who in ("beneficiary", "agent_2", "agent_3", "agent_4"):
        world.act(world.agreement, who, "accept-agreement", subject)
    desk.things["drill"] = world.begin_session("reshare")
    refused = desk.type(line("ceremony answer"), "--json")
    assert refused.problem()["code"] == "cli.text-not-accepted"
    world.act(world.agreement, "vendor", "accept-agreement", subject)
    done = desk.type(line("ceremony answer"))
    assert done.code == 0, done.err
    assert "Answered for 1 agreement(s)" in done.out


def test_a_release_is_confirmed_under_the_accepted_text_though_another_is_called_so(
    desk: Desk,
) -> None:
    """What nobody accepted voids nothing; and the agent's own word stands under what he signed."""
    _ = desk.things["approved"]
    call_in_force(desk.world, exchanged(desk.world, ("agent_3", "forger")))
    done = desk.type(line("confirm"))
    assert done.code == 0, done.err
