from pathlib import Path

import pytest

from escrow.vault.age import (
    Passphrase,
    decrypt_bytes,
    encrypt_bytes,
    new_hybrid_identity,
    new_x25519_identity,
    read_identity_file,
    write_identity_file,
)
from escrow.vault.errors import (
    BadIdentity,
    PayloadTampered,
    PayloadTruncated,
    WrongPassphrase,
)

IDENTITY = new_x25519_identity()
# Cheap on purpose: the tests prove the format, not the price of guessing.
CHEAP = Passphrase("correct horse", log_n=10)


@pytest.mark.parametrize("size", (0, 1, 65_535, 65_536, 65_537, 131_072, 200_001))
def test_small_files_survive_a_round_trip(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert decrypt_bytes(encrypt_bytes(data, [IDENTITY.recipient]), [IDENTITY]) == data


@pytest.mark.parametrize("cut", (1, 15, 17, 65_552, 65_553))
def test_a_small_file_that_was_cut_is_refused(cut: int) -> None:
    sealed = encrypt_bytes(bytes(70_000), [IDENTITY.recipient])
    with pytest.raises((PayloadTampered, PayloadTruncated)):
        decrypt_bytes(sealed[:-cut], [IDENTITY])


def test_a_small_file_with_more_after_it_is_refused() -> None:
    sealed = encrypt_bytes(b"all there is", [IDENTITY.recipient])
    with pytest.raises(PayloadTampered):
        decrypt_bytes(sealed + b"\0", [IDENTITY])


def test_a_file_that_is_not_small_is_refused() -> None:
    sealed = encrypt_bytes(bytes(17 * 1024 * 1024), [IDENTITY.recipient])
    with pytest.raises(PayloadTruncated):
        decrypt_bytes(sealed, [IDENTITY])


@pytest.mark.parametrize("identity", (IDENTITY, new_hybrid_identity()), ids=("x25519", "hybrid"))
def test_a_key_file_keeps_its_key(tmp_path: Path, identity) -> None:
    plain, protected = tmp_path / "plain.age", tmp_path / "protected.age"
    write_identity_file(plain, identity, None)
    write_identity_file(protected, identity, CHEAP)
    assert read_identity_file(plain, None) == identity
    assert read_identity_file(protected, CHEAP.text) == identity
    assert protected.stat().st_mode & 0o777 == 0o600
    assert identity.reveal().encode() not in protected.read_bytes()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    write_identity_file(tmp_path / "my.age", IDENTITY, None)
    with pytest.raises(FileExistsError):
        write_identity_file(tmp_path / "my.age", new_x25519_identity(), None)
    assert read_identity_file(tmp_path / "my.age", None) == IDENTITY


def test_a_wrong_passphrase_says_so(tmp_path: Path) -> None:
    write_identity_file(tmp_path / "my.age", IDENTITY, CHEAP)
    with pytest.raises(WrongPassphrase):
        read_identity_file(tmp_path / "my.age", "correct house")
    with pytest.raises(BadIdentity, match="protected"):
        read_identity_file(tmp_path / "my.age", None)


@pytest.mark.parametrize("content", (b"", b"\xff\xfe", b"hello"))
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(BadIdentity):
        read_identity_file(tmp_path / "other", None)
    with pytest.raises(BadIdentity):
        read_identity_file(tmp_path / "absent", None)
