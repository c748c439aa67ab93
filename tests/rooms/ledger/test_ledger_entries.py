"""An entry has one form; whatever differs is none."""

import json

import pytest

from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ledger.entries import MAX_ENTRY_BYTES, parse_entry
from escrow.ledger.errors import EntryMalformed, RoleSignatureWrong, RoleUnknown
from escrow.testing.ledgers import LedgerWorld, named_key


def test_an_entry_reads_back(world: LedgerWorld) -> None:
    entry = world.append(data={"deposit": "dep_9"})
    signed = parse_entry(entry.bytes)
    assert signed.event.data == {"deposit": "dep_9"}
    assert (signed.event.sequence, signed.event.at) == (0, entry.at)
    assert signed.entry_sha256 == entry.entry_sha256 == sha256_hex(entry.bytes)
    signed.check_role_signature(world.keys.roles)


def test_the_form_is_rfc_8785(world: LedgerWorld) -> None:
    entry = world.append(data={"b": [1, {"z": None, "a": True}], "a": "x"}).bytes
    assert canonical_json(json.loads(entry)) == entry


def _changed(entry: bytes, path: str, value: object) -> bytes:
    whole = json.loads(entry)
    *way, last = path.split(".")
    place = whole
    for step in way:
        place = place[step]
    place[last] = value
    return canonical_json(whole)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("extra", 1),
        ("event.extra", 1),
        ("event.v", 2),
        ("event.sequence", -1),
        ("event.sequence", "0"),
        ("event.sequence", True),
        ("event.nonce", "AB" * 32),
        ("event.previous", "ab"),
        ("event.role", "vendor"),
        ("event.role", ["portal"]),
        ("event.type", "sealed"),
        ("event.at", "2026-01-02T03:04:05Z"),
        ("event.at", 5),
        ("event.data", ["x"]),
        ("event.data", {"name": "Jane Doe"}),
        ("event.actor", 7),
        ("event.stream", {"kind": "product"}),
        ("event.stream.extra", 1),
        ("signature.role", "worker"),
        ("signature.key_id", "00"),
        ("signature.signature", "AAAA"),
        ("signature.extra", 1),
        ("signature", None),
        ("event", []),
    ],
)
def test_another_shape_is_no_entry(world: LedgerWorld, path: str, value: object) -> None:
    entry = world.append().bytes
    with pytest.raises(EntryMalformed):
        parse_entry(_changed(entry, path, value))


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 9000, b"1e400"])
def test_other_bytes_are_no_entry(text: bytes) -> None:
    with pytest.raises(EntryMalformed):
        parse_entry(text)


def test_a_space_makes_it_no_entry(world: LedgerWorld) -> None:
    entry = world.append().bytes
    for other in (
        entry + b"\n",
        entry.replace(b'":', b'": ', 1),
        entry.replace(b"tok", b"\\u0074ok"),
    ):
        with pytest.raises(EntryMalformed):
            parse_entry(other)


def test_a_doubled_key_makes_it_no_entry(world: LedgerWorld) -> None:
    entry = world.append().bytes
    with pytest.raises(EntryMalformed):
        parse_entry(entry.replace(b'"actor":"tok_1"', b'"actor":"tok_2","actor":"tok_1"'))


def test_a_long_entry_is_refused_unread() -> None:
    with pytest.raises(EntryMalformed, match="longer"):
        parse_entry(b" " * (MAX_ENTRY_BYTES + 1))


def test_the_role_must_be_known(world: LedgerWorld) -> None:
    signed = parse_entry(world.append(role="worker").bytes)
    with pytest.raises(RoleUnknown):
        signed.check_role_signature({"portal": world.key("portal").public})
    with pytest.raises(RoleUnknown):
        signed.check_role_signature({"worker": named_key("other").public})


def test_the_signature_must_hold(world: LedgerWorld) -> None:
    signed = parse_entry(_changed(world.append().bytes, "event.actor", "tok_2"))
    with pytest.raises(RoleSignatureWrong):
        signed.check_role_signature(world.keys.roles)
