"""Shamir's promise: k shares give the secret, fewer say nothing about it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.vault.shares import combine, split

SECRETS = st.binary(min_size=1, max_size=32)


@st.composite
def deals(draw):
    n = draw(st.integers(3, 12))
    k = draw(st.integers(2, n - 1))
    return draw(SECRETS), k, n


@settings(deadline=None)
@given(deal=deals(), data=st.data())
def test_any_k_or_more_shares_in_any_order_give_the_secret(deal, data) -> None:
    secret, k, n = deal
    shares = split(secret, k, n)
    some = data.draw(st.lists(st.sampled_from(shares), min_size=k, max_size=n, unique=True))
    assert combine(some) == secret


@settings(deadline=None)
@given(
    secret=st.binary(min_size=8, max_size=8),
    other=st.binary(min_size=8, max_size=8),
    k=st.integers(3, 9),
)
def test_fewer_shares_fit_every_other_secret(secret: bytes, other: bytes, k: int) -> None:
    # k - 1 shares and any claimed secret lie on one polynomial of degree k - 1: nothing is ruled
    # out. The claimed secret is a share at x = 0, so another point of that polynomial follows.
    known = split(secret, k, k + 3)[: k - 1]
    forged = _point_through(other, known, x=200)
    assert combine([*known, forged]) == other


@settings(deadline=None)
@given(deal=deals(), place=st.integers(0, 31), flip=st.integers(1, 255))
def test_a_wrong_share_gives_a_wrong_secret(deal, place: int, flip: int) -> None:
    secret, k, n = deal
    shares = [bytearray(share) for share in split(secret, k, n)[:k]]
    shares[0][place % len(secret)] ^= flip
    assert combine([bytes(share) for share in shares]) != secret


def _point_through(secret: bytes, known: tuple[bytes, ...], x: int) -> bytes:
    """Return the value at x of the polynomial through the secret at 0 and the known shares.

    Moving every x by x (addition is XOR) makes the point at x the value at 0.
    """
    moved = [share[:-1] + bytes([share[-1] ^ x]) for share in (*known, secret + b"\0")]
    return combine(moved) + bytes([x])
