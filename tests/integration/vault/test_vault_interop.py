"""Programs that we did not write open what we seal, and we open what they seal."""

import os
import subprocess
from pathlib import Path

import pyrage
import pytest

from escrow.vault.age import (
    FileKey,
    Passphrase,
    X25519Identity,
    decrypt_bytes,
    encrypt_bytes,
    new_x25519_identity,
    open_header,
    parse_identity,
    read_identity_file,
    wrap_file_key,
    write_identity_file,
)
from escrow.vault.age_format import split_header
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer, open_payload

SIZES = (0, 1, 65_535, 65_536, 65_537, 131_072, 1_048_577)


def _run(*command: object, given: bytes = b"") -> bytes:
    arguments = [str(one) for one in command]
    return subprocess.run(arguments, input=given, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture
def identity() -> X25519Identity:
    return new_x25519_identity()


@pytest.fixture
def key_file(tmp_path: Path, identity: X25519Identity) -> Path:
    write_identity_file(tmp_path / "my.age", identity, None)
    return tmp_path / "my.age"


def _plain(size: int) -> bytes:
    return bytes(index * 7 % 251 for index in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_stock_age_opens_what_we_seal(identity, key_file: Path, size: int) -> None:
    sealed = encrypt_bytes(_plain(size), [identity.recipient])
    assert _run("age", "-d", "-i", key_file, given=sealed) == _plain(size)


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_stock_age_seals(identity, size: int) -> None:
    sealed = _run("age", "-r", identity.recipient, given=_plain(size))
    assert decrypt_bytes(sealed, [identity]) == _plain(size)
    header, payload = split_header(sealed)
    pieces = open_payload([payload], open_header(header, [identity]), "identity")
    assert b"".join(pieces) == _plain(size)


@pytest.mark.parametrize("size", SIZES)
def test_a_second_implementation_agrees_both_ways(identity, size: int) -> None:
    theirs = pyrage.x25519.Identity.from_str(identity.reveal())
    ours = encrypt_bytes(_plain(size), [identity.recipient])
    assert pyrage.decrypt(ours, [theirs]) == _plain(size)
    assert decrypt_bytes(pyrage.encrypt(_plain(size), [theirs.to_public()]), [identity]) == _plain(
        size
    )


def test_a_passphrase_agrees_both_ways() -> None:
    ours = encrypt_bytes(b"a key", [Passphrase("correct horse", log_n=12)])
    assert pyrage.passphrase.decrypt(ours, "correct horse") == b"a key"
    theirs = pyrage.passphrase.encrypt(b"a key", "correct horse")
    assert decrypt_bytes(theirs, [Passphrase("correct horse")]) == b"a key"


def test_stock_keys_and_ours_are_the_same(tmp_path: Path, key_file: Path, identity) -> None:
    assert _run("age-keygen", "-y", key_file).decode().strip() == str(identity.recipient)
    _run("age-keygen", "-o", tmp_path / "theirs")
    theirs = read_identity_file(tmp_path / "theirs", None)
    assert theirs == parse_identity((tmp_path / "theirs").read_text())
    assert _run("age-keygen", "-y", tmp_path / "theirs").decode().strip() == str(theirs.recipient)


def test_stock_age_opens_for_every_recipient_of_a_header(tmp_path: Path) -> None:
    identities = [new_x25519_identity() for _ in range(3)]
    sealed = encrypt_bytes(b"for three", [one.recipient for one in identities])
    for number, one in enumerate(identities):
        write_identity_file(tmp_path / str(number), one, None)
        assert _run("age", "-d", "-i", tmp_path / str(number), given=sealed) == b"for three"


@pytest.mark.parametrize("kind", ("text", "noise"))
def test_a_stored_part_needs_only_stock_programs(tmp_path, identity, key_file, kind) -> None:
    part = (b"x = %d\n" % 7) * 500_000 if kind == "text" else os.urandom(3_000_000)
    store, file_key = FileBlobStore(tmp_path / "store"), FileKey.generate()
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(part)
    sealed = sealer.finish()
    # Two headers over one payload: what a release does.
    for _ in range(2):
        header = wrap_file_key(file_key, [identity.recipient])
        with store.open(sealed.payload_sha256) as payload:
            opened = _run("age", "-d", "-i", key_file, given=header + payload.read())
        if sealed.encoding == "zstd":
            opened = _run("zstd", "-dcq", given=opened)
        assert opened == part


def test_stock_age_refuses_what_we_refuse(tmp_path: Path, key_file: Path, identity) -> None:
    sealed = encrypt_bytes(_plain(200_000), [identity.recipient])
    for changed in (sealed[:-1], sealed + b"x", sealed[:-70_000] + bytes(1) + sealed[-69_999:]):
        outcome = subprocess.run(
            ["age", "-d", "-i", key_file], input=changed, capture_output=True, check=False
        )
        assert outcome.returncode != 0
