"""Checkpoints: signed notes, of this log, with three lines."""

import base64

import pytest

from escrow.ledger.checkpoints import origin_of, sign_checkpoint, verify_checkpoint
from escrow.ledger.errors import (
    CheckpointMalformed,
    CheckpointOfOtherLog,
    CheckpointSignatureWrong,
)
from escrow.testing.ledgers import named_key

LOG = named_key("log")
ROOT = bytes(range(32))
NOTE = sign_checkpoint(7, ROOT, LOG).note


def test_a_checkpoint_reads_back() -> None:
    read = verify_checkpoint(NOTE, LOG.public)
    assert (read.tree_size, read.root_hash, read.note) == (7, ROOT, NOTE)
    assert read == sign_checkpoint(7, ROOT, LOG)


def test_the_signature_is_over_the_body_alone() -> None:
    body = f"{origin_of(LOG.public)}\n7\n{base64.b64encode(ROOT).decode()}\n"
    assert NOTE.startswith(body + "\n— ")
    LOG.public.check_signature(verify_checkpoint(NOTE, LOG.public).signature, body.encode())


def test_cosignatures_of_witnesses_are_passed_over() -> None:
    line = f"— witness.example/w1 {base64.b64encode(bytes(76)).decode()}\n"
    assert verify_checkpoint(NOTE + line, LOG.public).tree_size == 7
    before = NOTE.replace("\n\n", "\n\n" + line)
    assert verify_checkpoint(before, LOG.public).tree_size == 7


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("\n7\n", "\n-7\n"),
        NOTE.replace("\n7\n", "\n7\nextension\n"),
        NOTE.replace("\n7\n", "\n"),
        NOTE.replace("\n7\n", "\n" + "7" * 30 + "\n"),
        NOTE.replace("— ", "- "),
        NOTE.replace("—", "—  "),
        NOTE.replace(base64.b64encode(ROOT).decode(), "AAAA"),
        NOTE.replace(base64.b64encode(ROOT).decode(), "????"),
        NOTE + "— a AAAAAAAA\n" * 64,
        "x" * 600_000,
    ],
)
def test_another_form_is_no_checkpoint(note: str) -> None:
    with pytest.raises(CheckpointMalformed):
        verify_checkpoint(note, LOG.public)


def test_base64_has_one_text_only() -> None:
    text = base64.b64encode(ROOT).decode()
    # The last digit before the padding has two spare bits, which a lax reader ignores.
    other = text[:-2] + chr(ord(text[-2]) + 1) + "="
    with pytest.raises(CheckpointMalformed):
        verify_checkpoint(NOTE.replace(text, other), LOG.public)


def test_another_log_is_told_apart() -> None:
    with pytest.raises(CheckpointOfOtherLog):
        verify_checkpoint(NOTE, named_key("other").public)


def test_another_size_is_not_signed() -> None:
    with pytest.raises(CheckpointSignatureWrong, match="does not hold"):
        verify_checkpoint(NOTE.replace("\n7\n", "\n8\n"), LOG.public)


def test_a_note_without_the_log_is_not_signed() -> None:
    line = NOTE.splitlines(keepends=True)[-1]
    with pytest.raises(CheckpointSignatureWrong, match="no signature"):
        verify_checkpoint(NOTE.replace(line, "— other AAAAAAAAAAA=\n"), LOG.public)
