import hashlib
import itertools

import pytest

from escrow.ground.digests import canonical_json
from escrow.ground.signatures import PublicKey
from escrow.vault import records
from escrow.vault.age import (
    encrypt_bytes,
    hybrid_identity_from_seed,
    new_hybrid_identity,
    new_x25519_identity,
)
from escrow.vault.ceremony import (
    combine_canary,
    deal,
    liveness_key,
    open_canary_share,
    open_share_file,
    seal_canary_share,
)
from escrow.vault.dealing import ShareHolder, hold_ceremony
from escrow.vault.errors import (
    BadQuorum,
    BadRecipient,
    BadShareFile,
    CanaryClosed,
    NoIdentityMatches,
)
from escrow.vault.shares import combine

AGENTS = [new_x25519_identity(), new_hybrid_identity(), new_x25519_identity()]
RECIPIENTS = [str(agent.recipient) for agent in AGENTS]
DEAL = deal("agr_1", 1, 2, RECIPIENTS, b"the canary's secret")
OPENED = [
    open_share_file(file, agent)
    for file, agent in zip(DEAL.sealed_share_files, AGENTS, strict=True)
]


def test_any_two_agents_open_the_canary() -> None:
    for two in itertools.permutations(OPENED, 2):
        secret = combine_canary([one.canary_share for one in two], DEAL.canary_file)
        assert secret == b"the canary's secret"


def test_any_two_agents_have_the_sealing_key() -> None:
    for two in itertools.combinations(OPENED, 2):
        seed = combine([one.share for one in two])
        assert str(hybrid_identity_from_seed(seed).recipient) == DEAL.recipient


def test_the_canary_tells_nothing_of_the_sealing_key() -> None:
    assert DEAL.recipient != DEAL.canary_recipient
    for two in itertools.product(OPENED, OPENED):
        mixed = [two[0].share, two[1].canary_share]
        if two[0] is not two[1]:
            with pytest.raises(CanaryClosed):
                combine_canary(mixed, DEAL.canary_file)


def test_a_share_file_names_its_place() -> None:
    assert [(one.agreement_id, one.epoch, one.index, one.k, one.n) for one in OPENED] == [
        ("agr_1", 1, index, 2, 3) for index in (1, 2, 3)
    ]
    assert [one.share[-1] for one in OPENED] == [1, 2, 3]
    assert "share=" not in repr(OPENED[0])


def test_a_share_file_opens_for_its_agent_alone() -> None:
    for file, agent in itertools.product(DEAL.sealed_share_files, AGENTS):
        if DEAL.sealed_share_files.index(file) != AGENTS.index(agent):
            with pytest.raises(NoIdentityMatches):
                open_share_file(file, agent)


@pytest.mark.parametrize(("k", "n"), ((1, 3), (3, 3), (2, 2), (0, 3), (4, 3), (2, 0)))
def test_quorums_that_let_one_open_or_block_are_not_dealt(k: int, n: int) -> None:
    with pytest.raises(BadQuorum):
        deal("agr_1", 1, k, RECIPIENTS[:n], b"")


def test_an_agent_without_a_recipient_is_not_dealt_to() -> None:
    with pytest.raises(BadRecipient):
        deal("agr_1", 1, 2, [*RECIPIENTS[:2], "cy@agents.example"], b"")


def test_a_canary_share_travels_sealed_and_without_the_share() -> None:
    sealed = seal_canary_share(OPENED[0], AGENTS[1].recipient)
    received = open_canary_share(sealed, AGENTS[1])
    assert (received.index, received.canary_share) == (1, OPENED[0].canary_share)
    assert not hasattr(received, "share")
    with pytest.raises(NoIdentityMatches):
        open_canary_share(sealed, AGENTS[0])


def _values(**changes: object) -> dict[str, object]:
    import base64

    share = base64.b64encode(OPENED[0].share).decode()
    whole = {"v": 1, "agreement_id": "agr_1", "epoch": 1, "index": 1, "k": 2, "n": 3}
    return whole | {"share": share, "canary_share": share} | changes


@pytest.mark.parametrize(
    "content",
    (
        b"",
        b"[]",
        b"\xff",
        canonical_json(_values(v=2)),
        canonical_json(_values(k=3)),
        canonical_json(_values(index=4)),
        canonical_json(_values(index=0)),
        canonical_json(_values(share="AAAA")),
        canonical_json(_values(share="?")),
        canonical_json(_values(share=None)),
        canonical_json(_values(more=1)),
        canonical_json({"v": 1}),
    ),
)
def test_what_is_no_share_file_is_refused(content: bytes) -> None:
    sealed = encrypt_bytes(content, [AGENTS[0].recipient])
    for read in (open_share_file, open_canary_share):
        with pytest.raises(BadShareFile):
            read(sealed, AGENTS[0])


def test_a_share_signs_that_it_lives() -> None:
    for text, opened in zip(DEAL.liveness_keys, OPENED, strict=True):
        signature = liveness_key(opened.share).sign(b"a fresh challenge")
        PublicKey.parse(text).check_signature(signature, b"a fresh challenge")
    assert len(set(DEAL.liveness_keys)) == 3


HOLDERS = [ShareHolder(f"ed25519:{index}", recipient) for index, recipient in enumerate(RECIPIENTS)]


def _open_canary(session, epoch: int) -> bytes:
    deals = records.shares_of(session, "agr_1", epoch)
    shares = [
        open_share_file(row.share_file, agent).canary_share
        for row, agent in zip(deals, AGENTS, strict=True)
    ]
    return combine_canary(shares[:2], records.newest_epoch(session, "agr_1").canary_file)


def test_an_epoch_counts_once_its_canary_was_opened(session, now) -> None:
    first = hold_ceremony(session, "agr_1", 1, 2, HOLDERS, now)
    assert (first.epoch, first.k, first.n) == (1, 2, 3)
    assert records.counting_epoch(session, "agr_1") is None
    records.mark_canary_opened(session, first, now)
    second = hold_ceremony(session, "agr_1", 1, 2, HOLDERS, now)
    assert records.counting_epoch(session, "agr_1") == first
    assert records.newest_epoch(session, "agr_1") == second
    records.mark_canary_opened(session, second, now)
    assert records.counting_epoch(session, "agr_1") == second


def test_the_kept_share_files_open_the_kept_canary(session, now) -> None:
    row = hold_ceremony(session, "agr_1", 1, 2, HOLDERS, now)
    secret = _open_canary(session, 1)
    assert hashlib.sha256(secret).hexdigest() == row.canary_sha256
    assert secret not in row.canary_file


def test_a_canary_share_sent_again_replaces_the_first(session, now) -> None:
    hold_ceremony(session, "agr_1", 1, 2, HOLDERS, now)
    for _ in range(2):
        file = seal_canary_share(OPENED[0], AGENTS[1].recipient)
        share = records.CanaryShareRow(
            agreement_id="agr_1",
            epoch=1,
            from_index=1,
            recipient=RECIPIENTS[1],
            file=file,
            sent_at=now,
        )
        records.keep_canary_share(session, share)
    kept = records.canary_shares_for(session, "agr_1", 1, RECIPIENTS[1])
    assert [row.file for row in kept] == [file]
    assert records.canary_shares_for(session, "agr_1", 1, RECIPIENTS[0]) == []
