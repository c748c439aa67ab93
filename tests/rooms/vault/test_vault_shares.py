import pytest

from escrow.vault.errors import BadQuorum, BadShares
from escrow.vault.shares import combine, split

SECRET = bytes(range(100, 132))


@pytest.mark.parametrize(("k", "n"), ((1, 3), (0, 3), (3, 3), (2, 2), (4, 3), (2, 256), (-1, 2)))
def test_numbers_that_are_no_quorum_are_refused(k: int, n: int) -> None:
    with pytest.raises(BadQuorum):
        split(SECRET, k, n)
    with pytest.raises(BadQuorum):
        split(b"", 2, 3)


def test_a_share_is_the_values_and_then_its_x() -> None:
    shares = split(SECRET, 3, 5)
    assert [share[-1] for share in shares] == [1, 2, 3, 4, 5]
    assert {len(share) for share in shares} == {33}


def test_the_largest_deal_combines() -> None:
    shares = split(SECRET, 254, 255)
    assert combine(shares) == combine(shares[1:]) == SECRET
    assert combine(shares[:253]) != SECRET


@pytest.mark.parametrize(
    "shares",
    (
        [],
        [b"ab\x01"],
        [b"ab\x01", b"ab\x01"],
        [b"ab\x01", b"cd\x01"],
        [b"ab\x01", b"abc\x02"],
        [b"ab\x00", b"ab\x02"],
        [b"\x01", b"\x02"],
        [b"", b""],
    ),
)
def test_shares_that_cannot_be_combined_are_refused(shares: list[bytes]) -> None:
    with pytest.raises(BadShares):
        combine(shares)


def test_shares_of_two_deals_do_not_give_the_secret() -> None:
    first, second = split(SECRET, 2, 3), split(SECRET, 2, 3)
    assert combine([first[0], second[1]]) != SECRET


def test_the_field_is_that_of_aes() -> None:
    # f(x) = 0x41 + 0x53 x. FIPS 197, section 4.2: 0x53 and 0xca are inverse, so f(0xca) = 0x40.
    assert combine([bytes([0x40, 0xCA]), bytes([0x41 ^ 0x53, 1])]) == b"\x41"
