"""Proofs travel as JSON and are checked with keys alone."""

import json
from dataclasses import replace

import pytest

from escrow.ledger.errors import InclusionWrong, ProofMalformed
from escrow.ledger.merkle import check_consistency
from escrow.ledger.proofs import (
    LedgerProof,
    consistency_proof,
    newest_checkpoint,
    proof_of,
    verify_proof,
)
from escrow.testing.ledgers import LedgerWorld


def test_a_proof_holds_after_its_journey(world: LedgerWorld) -> None:
    world.grow(4)
    entry = world.append(data={"deposit": "dep_9"})
    checkpoint = world.sequence()
    text = json.dumps(world.proof(entry.entry_sha256).to_json())
    verified = verify_proof(LedgerProof.from_json(json.loads(text)), world.keys)
    assert verified.event.data == {"deposit": "dep_9"}
    assert (verified.leaf_index, verified.checkpoint) == (4, checkpoint)
    assert verified.entry_sha256 == entry.entry_sha256


def test_every_entry_is_proven_under_the_newest_checkpoint(world: LedgerWorld) -> None:
    entries = [world.append() for _ in range(9)]
    world.sequence()
    entries += [world.append() for _ in range(4)]
    world.sequence()
    for index, entry in enumerate(entries):
        verified = verify_proof(world.proof(entry.entry_sha256), world.keys)
        assert (verified.leaf_index, verified.checkpoint.tree_size) == (index, 13)


def test_pending_and_unknown_entries_have_no_proof(world: LedgerWorld) -> None:
    pending = world.append()
    with world.database.reading() as session:
        assert proof_of(session, pending.entry_sha256) is None
        assert proof_of(session, "0" * 64) is None
        assert newest_checkpoint(session, world.keys) is None


def test_any_two_checkpoints_are_consistent(world: LedgerWorld) -> None:
    checkpoints = [world.grow(count) for count in (1, 1, 2, 3, 4, 5)]
    with world.database.reading() as session:
        assert newest_checkpoint(session, world.keys) == checkpoints[-1]
        for old in checkpoints:
            for new in checkpoints[checkpoints.index(old) :]:
                path = consistency_proof(session, old.tree_size, new.tree_size)
                check_consistency(old.tree_size, old.root_hash, new.tree_size, new.root_hash, path)


def test_sigsums_text_has_its_lines(world: LedgerWorld) -> None:
    world.append(2)
    entry = world.append()
    checkpoint = world.sequence()
    assert checkpoint is not None
    proof = world.proof(entry.entry_sha256)
    lines = proof.to_sigsum_text(world.keys.log).splitlines()
    assert lines[:2] == ["version=2", f"log={world.keys.log.key_id}"]
    assert lines[2] == f"leaf={world.keys.leaf.key_id} {proof.leaf_signature.hex()}"
    assert lines[3:6] == ["", "size=3", f"root_hash={checkpoint.root_hex}"]
    assert lines[6:] == [
        f"signature={checkpoint.signature.hex()}",
        "",
        "leaf_index=2",
        f"node_hash={proof.path[0].hex()}",
    ]


def test_sigsums_text_of_a_lone_leaf_ends_at_the_tree_head(world: LedgerWorld) -> None:
    entry = world.append()
    world.sequence()
    text = world.proof(entry.entry_sha256).to_sigsum_text(world.keys.log)
    assert "leaf_index" not in text
    assert text.count("\n\n") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "escrow-ledger-proof/2"),
        ("entry", 5),
        ("entry", "?"),
        ("leaf", None),
        ("leaf", {"index": "0"}),
        ("path", "AAAA"),
        ("path", [1]),
        ("path", [""] * 64),
        ("checkpoint", None),
    ],
)
def test_another_shape_is_no_proof(world: LedgerWorld, field: str, value: object) -> None:
    entry = world.append()
    world.sequence()
    shape = world.proof(entry.entry_sha256).to_json() | {field: value}
    with pytest.raises(ProofMalformed):
        LedgerProof.from_json(shape)


@pytest.mark.parametrize("value", [None, [], "text", 5, {}])
def test_other_values_are_no_proof(value: object) -> None:
    with pytest.raises(ProofMalformed):
        LedgerProof.from_json(value)


def test_a_negative_index_is_refused_by_the_arithmetic(world: LedgerWorld) -> None:
    entry = world.append()
    world.sequence()
    proof = replace(world.proof(entry.entry_sha256), leaf_index=-1)
    with pytest.raises(InclusionWrong, match="No proof of leaf -1"):
        verify_proof(proof, world.keys)
