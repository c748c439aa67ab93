import pytest

from escrow.vault.age import (
    FileKey,
    Passphrase,
    hybrid_identity_from_seed,
    new_hybrid_identity,
    new_x25519_identity,
    open_header,
    parse_identity,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.age_format import MAX_HEADER_BYTES, split_header
from escrow.vault.errors import (
    BadIdentity,
    BadRecipient,
    HeaderForged,
    HeaderMalformed,
    MixedRecipients,
    NoIdentityMatches,
)

CLASSICAL = new_x25519_identity()
HYBRID = new_hybrid_identity()
KEY = FileKey(b"0123456789abcdef")
HEADER = wrap_file_key(KEY, [CLASSICAL.recipient])


@pytest.mark.parametrize("identity", (CLASSICAL, HYBRID), ids=("x25519", "hybrid"))
def test_a_header_opens_for_its_identity(identity) -> None:
    header = wrap_file_key(KEY, [identity.recipient])
    assert open_header(header, [new_x25519_identity(), new_hybrid_identity(), identity]) == KEY


@pytest.mark.parametrize("identity", (CLASSICAL, HYBRID), ids=("x25519", "hybrid"))
def test_a_header_does_not_open_for_another_identity(identity) -> None:
    header = wrap_file_key(KEY, [identity.recipient])
    with pytest.raises(NoIdentityMatches):
        open_header(header, [new_x25519_identity(), new_hybrid_identity()])


def test_every_recipient_of_a_header_opens_it() -> None:
    identities = [new_hybrid_identity() for _ in range(3)]
    header = wrap_file_key(KEY, [one.recipient for one in identities])
    assert [open_header(header, [one]) for one in identities] == [KEY] * 3


@pytest.mark.parametrize("identity", (CLASSICAL, HYBRID), ids=("x25519", "hybrid"))
def test_keys_survive_their_texts(identity) -> None:
    assert parse_identity(f"# made today\n\n{identity.reveal()}\n") == identity
    assert parse_recipient(f" {identity.recipient}\n") == identity.recipient


def test_a_hybrid_recipient_has_the_length_of_age() -> None:
    assert str(HYBRID.recipient).startswith("age1pq1")
    assert len(HYBRID.recipient.raw) == 1184 + 32


def test_secrets_are_not_in_any_repr() -> None:
    shown = f"{CLASSICAL!r} {HYBRID!r} {KEY!r} {CLASSICAL} {Passphrase('swordfish')!r}"
    for secret in (CLASSICAL.reveal(), HYBRID.reveal(), repr(KEY.raw), "swordfish"):
        assert secret not in shown
    assert "seed" not in shown


@pytest.mark.parametrize(
    "recipients",
    (
        [],
        [CLASSICAL.recipient, HYBRID.recipient],
        [Passphrase("a", 10), Passphrase("b", 10)],
        [Passphrase("a", 10), HYBRID.recipient],
    ),
    ids=("none", "mixed", "two-passphrases", "passphrase-beside"),
)
def test_recipients_that_do_not_go_together_are_refused(recipients) -> None:
    with pytest.raises(MixedRecipients):
        wrap_file_key(KEY, recipients)


def _without_final_line(header: bytes) -> bytes:
    lines = header.split(b"\n")
    return b"\n".join(lines[:2] + lines[3:])


@pytest.mark.parametrize(
    "break_it",
    (
        lambda h: h.replace(b"/v1", b"/v2", 1),
        lambda h: h.replace(b"-> X25519", b"->  X25519"),
        lambda h: h.replace(b"-> X25519", b"- > X25519"),
        lambda h: h.replace(b"-> X25519", b"-> X\x7f5519"),
        lambda h: h.replace(b"X25519 ", b"X25519 extra "),
        lambda h: h.replace(b"\n--- ", b"=\n--- "),
        lambda h: h.replace(b"\n--- ", b"\n---"),
        lambda h: h.replace(b"\n", b"\r\n"),
        lambda h: h[:-1],
        lambda h: h + b"\n",
        lambda h: h[:-2] + b"=\n",
        lambda h: h[: h.index(b"---")],
        lambda h: h[:22] + h[h.index(b"---") :],
        _without_final_line,
        lambda h: h[:22] + b"-> filler\n\n" * (MAX_HEADER_BYTES // 10) + h[22:],
        lambda h: b"",
        lambda h: h.replace(b"X25519", "X2551ü".encode()),
    ),
)
def test_a_header_that_breaks_the_grammar_is_refused(break_it) -> None:
    with pytest.raises(HeaderMalformed):
        open_header(break_it(HEADER), [CLASSICAL])


def test_base64_with_stray_bits_is_refused() -> None:
    # The last character of 32 bytes in base64 carries two bits that mean nothing.
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = HEADER.index(b"\n--- ") - 1
    stray = alphabet[alphabet.index(HEADER[at : at + 1]) ^ 1]
    with pytest.raises(HeaderMalformed):
        open_header(HEADER[:at] + bytes([stray]) + HEADER[at + 1 :], [CLASSICAL])


def test_a_stanza_added_by_someone_else_is_found() -> None:
    mine = wrap_file_key(FileKey.generate(), [HYBRID.recipient])
    stanza = mine[22 : mine.index(b"---")]
    with pytest.raises(HeaderForged):
        open_header(HEADER[:22] + stanza + HEADER[22:], [CLASSICAL])


def test_a_stanza_of_an_unknown_kind_is_passed_over() -> None:
    stanza = b"-> example.org/grease something\nYWJj\n"
    with pytest.raises(HeaderForged):  # read as far as the MAC, which covers the new stanza
        open_header(HEADER[:22] + stanza + HEADER[22:], [CLASSICAL])


def test_a_passphrase_beside_another_stanza_is_refused() -> None:
    protected = wrap_file_key(KEY, [Passphrase("swordfish", 10)])
    both = HEADER[: HEADER.index(b"---")] + protected[22:]
    with pytest.raises(HeaderMalformed):
        open_header(both, [Passphrase("swordfish")])


@pytest.mark.parametrize("factor", (b"0", b"010", b"21", b"x", b"-1", b"1000"))
def test_a_work_factor_that_is_none_or_too_large_is_refused(factor: bytes) -> None:
    protected = wrap_file_key(KEY, [Passphrase("swordfish", 10)])
    with pytest.raises(HeaderMalformed):
        open_header(protected.replace(b" 10\n", b" " + factor + b"\n"), [Passphrase("swordfish")])


@pytest.mark.parametrize("share", (bytes(32), b"\x01" + bytes(31)))
def test_a_share_of_low_order_is_refused(share: bytes) -> None:
    from escrow.vault.age_format import encode_base64

    start, end = HEADER.index(b"X25519 ") + 7, HEADER.index(b"\n", 25)
    forged = HEADER[:start] + encode_base64(share).encode() + HEADER[end:]
    with pytest.raises(HeaderMalformed):
        open_header(forged, [CLASSICAL])


@pytest.mark.parametrize(
    "text",
    (
        "",
        "age1",
        CLASSICAL.reveal(),
        str(CLASSICAL.recipient).upper(),
        str(CLASSICAL.recipient)[:-1] + ("q" if str(CLASSICAL.recipient)[-1] != "q" else "p"),
        str(HYBRID.recipient)[:-7],
        "ssh-ed25519 AAAA",
    ),
    ids=("empty", "prefix", "identity", "upper case", "checksum", "cut off", "of ssh"),
)
def test_a_text_that_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(BadRecipient):
        parse_recipient(text)


@pytest.mark.parametrize(
    "text",
    (
        "",
        str(CLASSICAL.recipient),
        CLASSICAL.reveal().lower(),
        f"{CLASSICAL.reveal()}\n{CLASSICAL.reveal()}",
        CLASSICAL.reveal()[:-2],
    ),
    ids=("empty", "recipient", "lower case", "two", "cut off"),
)
def test_a_text_that_is_no_identity_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadIdentity) as refused:
        parse_identity(text)
    assert text == "" or text not in str(refused.value)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(BadIdentity):
        hybrid_identity_from_seed(bytes(31))


def test_a_file_without_a_whole_header_is_refused() -> None:
    for start in (b"", b"age-encryption.org/v1\n", HEADER[:60], b"x" + HEADER):
        with pytest.raises(HeaderMalformed):
            split_header(start)
    assert split_header(HEADER + b"payload") == (HEADER, b"payload")
