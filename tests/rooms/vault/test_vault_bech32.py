import pytest

from escrow.vault.bech32 import decode_bech32, encode_bech32

# BIP 173's own valid texts, the last longer than Bitcoin allows.
VALID = (
    "A12UEL5L",
    "a12uel5l",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
)


@pytest.mark.parametrize("text", VALID)
def test_texts_of_bip_173_survive_a_round_trip(text: str) -> None:
    prefix, data = decode_bech32(text)
    assert encode_bech32(prefix, data) == text.lower()


@pytest.mark.parametrize(
    "text",
    (
        "",
        "1nwldj5",
        "pzry9x0s0muk",
        "A1G7SGD8",
        "a12UEL5L",
        "x1b4n0q5v",
        "li1dgmt3",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxv",
        "split1cheo2y9e2w",
        "äge12uel5l",
        "a b12uel5l",
    ),
)
def test_broken_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Bech32"):
        decode_bech32(text)


def test_padding_that_hides_bits_is_refused() -> None:
    from escrow.vault import bech32

    values = [31, 31]
    check = bech32._polymod([*bech32._spread("a"), *values, *[0] * 6]) ^ 1
    tail = [(check >> 5 * (5 - place)) & 31 for place in range(6)]
    text = "a1" + "".join(bech32._ALPHABET[value] for value in values + tail)
    with pytest.raises(ValueError, match="padding"):
        decode_bech32(text)
