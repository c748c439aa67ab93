"""The tree against RFC 6962's own recursive definition, for every size to 70."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ledger.errors import ConsistencyWrong, InclusionWrong
from escrow.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_ranges,
    hash_ranges,
    inclusion_ranges,
    leaf_hash,
    node_place,
    nodes_in,
    root_of,
    whole_subtrees,
)

LARGEST = 70
LEAVES = [bytes([number]) for number in range(LARGEST)]


def mth(leaves: list[bytes]) -> bytes:
    """Merkle tree hash, as the recursion of RFC 6962, section 2.1, states it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


ROOTS = [mth(LEAVES[:size]) for size in range(LARGEST + 1)]


def hash_of(level: int, position: int) -> bytes:
    return mth(LEAVES[position << level : (position + 1) << level])


def inclusion(index: int, size: int) -> tuple[bytes, ...]:
    return hash_ranges(inclusion_ranges(index, size), hash_of)


def consistency(old: int, new: int) -> tuple[bytes, ...]:
    return hash_ranges(consistency_ranges(old, new), hash_of)


def test_the_empty_root() -> None:
    assert ROOTS[0] == EMPTY_ROOT == root_of([]) == Frontier().root()


def test_roots_grow_leaf_by_leaf() -> None:
    frontier = Frontier()
    made: list[bytes] = []
    for size, leaf in enumerate(LEAVES, start=1):
        made += frontier.append(leaf_hash(leaf))
        assert frontier.root() == ROOTS[size]
        assert nodes_in(size) == len(made)
    for level in range(1, LARGEST.bit_length()):
        for position in range(LARGEST >> level):
            assert made[node_place(level, position)] == hash_of(level, position)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_a_frontier_resumes_at_any_size(size: int) -> None:
    peaks = [hash_of(level, position) for level, position in whole_subtrees(0, size)]
    assert Frontier(size, peaks).root() == ROOTS[size]


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_leaf_is_proven_and_no_other(size: int) -> None:
    for index in range(size):
        path = inclusion(index, size)
        check_inclusion(leaf_hash(LEAVES[index]), index, size, path, ROOTS[size])
        for other in {index + 1, index - 1, size - 1 - index} - {index}:
            with pytest.raises(InclusionWrong):
                check_inclusion(leaf_hash(LEAVES[index]), other, size, path, ROOTS[size])


@pytest.mark.parametrize("new", range(1, LARGEST + 1))
def test_every_older_tree_is_proven_and_no_other(new: int) -> None:
    for old in range(1, new + 1):
        path = consistency(old, new)
        check_consistency(old, ROOTS[old], new, ROOTS[new], path)
        with pytest.raises(ConsistencyWrong):
            check_consistency(old, ROOTS[old - 1], new, ROOTS[new], path)
        with pytest.raises(ConsistencyWrong):
            check_consistency(old, ROOTS[old], new, ROOTS[new - 1], path)


sizes = st.integers(1, LARGEST)


@given(data=st.data(), size=st.integers(2, LARGEST))
def test_no_changed_inclusion_path_holds(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = list(inclusion(index, size))
    changed = data.draw(st.sampled_from(_changes(path)))
    with pytest.raises(InclusionWrong):
        check_inclusion(leaf_hash(LEAVES[index]), index, size, changed, ROOTS[size])


@given(data=st.data(), new=st.integers(2, LARGEST))
def test_no_changed_consistency_path_holds(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    path = list(consistency(old, new))
    changed = data.draw(st.sampled_from(_changes(path)))
    with pytest.raises(ConsistencyWrong):
        check_consistency(old, ROOTS[old], new, ROOTS[new], changed)


@given(old=sizes, new=sizes)
def test_a_shorter_tree_never_follows_a_longer(old: int, new: int) -> None:
    if old > new:
        with pytest.raises(ConsistencyWrong):
            check_consistency(old, ROOTS[old], new, ROOTS[new], ())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_no_proof_where_there_is_no_leaf(index: int, size: int) -> None:
    with pytest.raises(InclusionWrong):
        check_inclusion(bytes(32), index, size, (), EMPTY_ROOT)
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_ranges(index, size)


def test_nothing_is_consistent_with_the_empty_tree() -> None:
    with pytest.raises(ConsistencyWrong):
        check_consistency(0, EMPTY_ROOT, 3, ROOTS[3], ())
    with pytest.raises(ValueError, match="no such pair"):
        consistency_ranges(0, 3)


def _changes(path: list[bytes]) -> list[list[bytes]]:
    flipped = [
        [*path[:at], bytes([one[0] ^ 1]) + one[1:], *path[at + 1 :]] for at, one in enumerate(path)
    ]
    short = [[*path[:at], one[:31], *path[at + 1 :]] for at, one in enumerate(path)]
    return [*flipped, *short, path[:-1], path[1:], [*path, bytes(32)], path * 40]
