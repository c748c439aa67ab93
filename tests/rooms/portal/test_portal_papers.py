"""Agents vouch for the service's keys; then papers are checked by the agreement's text alone."""

import json
from collections.abc import Iterator

import pytest

from escrow.evidence.checking import check_document
from escrow.evidence.errors import TrustRootNotVouched, TrustRootUndecided
from escrow.evidence.snapshots import VOUCH_ACT, Agents, vouch_subject
from escrow.ground.signatures import PublicKey
from escrow.testing.ledgers import named_key
from escrow.testing.portal import PortalWorld

ON_SQLITE_ALONE = True


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PortalWorld, str, str]]:
    made = PortalWorld(tmp_path_factory.mktemp("papers"))
    made.set_up()
    agreement = made.bring_into_force()
    yield made, agreement, made.deposit()
    made.close()


def _vouch(world: PortalWorld, agreement: str, who: str, sha256: str | None = None) -> int:
    digest = sha256 or world.rooms.trust_root.sha256()
    body = world.signed(who, VOUCH_ACT, vouch_subject(agreement, digest))
    return world.ask("POST", f"/agreements/{agreement}/acts", who, json=body).status_code


def _agents(world: PortalWorld, k: int = 2) -> Agents:
    terms = world.cast.agreement
    return Agents(tuple(PublicKey.parse(one.signing_key) for one in terms.agents), k)


def test_k_agents_who_vouch_stand_for_the_keys(settled: tuple[PortalWorld, str, str]) -> None:
    world, agreement, deposit = settled
    receipt = world.do("GET", f"/deposits/{deposit}/receipt", "vendor")
    assert receipt["format"] == "escrow-signed-document/1"
    with pytest.raises(TrustRootUndecided):
        check_document(json.dumps(receipt), None, [_agents(world)])

    # An agent may vouch for the keys that the service has, once; nobody else, for no others.
    assert _vouch(world, agreement, "agent_1", "00" * 32) == 422
    assert _vouch(world, agreement, "vendor") == 403
    assert _vouch(world, agreement, "agent_1") == 201
    assert _vouch(world, agreement, "agent_1") == 409

    one = world.do("GET", f"/deposits/{deposit}/receipt", "vendor")
    with pytest.raises(TrustRootNotVouched, match="1 of the 3"):
        check_document(json.dumps(one), None, [_agents(world)])

    assert _vouch(world, agreement, "agent_2") == 201
    both = json.dumps(world.do("GET", f"/deposits/{deposit}/receipt", "vendor"))
    checked = check_document(both, None, [_agents(world)])
    assert len(checked.believed.vouched[0].key_ids) == 2
    # Who has only the pinned keys believes the same paper, and is told what he cannot tell.
    assert check_document(both, world.rooms.trust_root).could_not_tell

    # Other people's agents do not know these; one man with two keys is no quorum.
    strangers = Agents(tuple(named_key(f"stranger-{at}").public for at in range(3)), 2)
    with pytest.raises(TrustRootNotVouched):
        check_document(both, None, [strangers])
    with pytest.raises(TrustRootNotVouched):
        check_document(both, None, [_agents(world, k=3)])
