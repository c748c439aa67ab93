"""The Merkle tree of RFC 6962, section 2: pure arithmetic over hashes.

Guarantees: proofs made here verify here and in any other program of RFC 6962 or RFC 9162; a proof
that does not hold raises, it never returns False. Readings are the strict ones: no proof exists
in an empty tree, and a hash has 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from escrow.ledger.errors import ConsistencyWrong, InclusionWrong

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()

# A tree of 2^63 leaves has paths of 63 hashes; a longer path is an attempt to cost us work.
MAX_PATH_HASHES = 63

_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; the prefix 0x00 keeps it apart from every inner node."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash for each whole subtree, largest first.

    Always: the subtrees' sizes are the binary digits of ``size``.
    """

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError("a tree has as many whole subtrees as its size has binary ones")
        self.size = size
        self._peaks = list(peaks)

    def append(self, new_leaf_hash: bytes) -> list[bytes]:
        """Add one leaf; see :meth:`extend`."""
        return self.extend((new_leaf_hash,))

    def extend(self, new_leaf_hashes: Iterable[bytes]) -> list[bytes]:
        """Add leaves and return the inner hashes that they made, in the order of their making.

        Their places (:func:`node_place`) follow one another, from ``nodes_in(size before)`` on.
        """
        made = []
        peaks, size = self._peaks, self.size
        for current in new_leaf_hashes:
            position = size
            while position & 1:
                current = _sha256(b"\x01" + peaks.pop() + current).digest()
                made.append(current)
                position >>= 1
            peaks.append(current)
            size += 1
        self.size = size
        return made

    def root(self) -> bytes:
        """Return the root of the tree (MTH of RFC 6962)."""
        return fold(self._peaks) if self._peaks else EMPTY_ROOT


def fold(peaks: Sequence[bytes]) -> bytes:
    """Return the hash over adjacent whole subtrees, largest first, joined from the right."""
    current = peaks[-1]
    for left in reversed(peaks[:-1]):
        current = node_hash(left, current)
    return current


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


def whole_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Return the (level, position) of the whole subtrees that make up leaves start…end-1.

    Args:
        start: a multiple of the largest power of two that is not above ``end - start``.
        end: index after the last leaf.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def nodes_in(size: int) -> int:
    """Return how many whole inner subtrees a tree of this size has."""
    return size - size.bit_count()


def node_place(level: int, position: int) -> int:
    """Return the place of a whole inner subtree in the order in which a growing tree makes them.

    Places are dense from 0, so the leaves a…b-1 make exactly nodes_in(a)…nodes_in(b)-1.

    Args:
        level: ≥ 1.
        position: in its level.
    """
    last_leaf = ((position + 1) << level) - 1
    return nodes_in(last_leaf) + level - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges whose hashes prove a leaf in a tree, lowest first (PATH).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """Return the leaf ranges whose hashes prove that a tree begins with an older one (PROOF).

    Raises:
        ValueError: the older tree is empty or larger than the newer.
    """
    if not 0 < old_size <= new_size:
        raise ValueError("no such pair of trees")
    ranges = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        # The old root is known to the verifier only when the old tree is one whole subtree.
        ranges.append((start, end))
    return ranges[::-1]


def hash_ranges(
    ranges: Iterable[tuple[int, int]], hash_of: Callable[[int, int], bytes]
) -> tuple[bytes, ...]:
    """Return the hash of each leaf range.

    Args:
        ranges: from :func:`inclusion_ranges` or :func:`consistency_ranges`.
        hash_of: gives the hash of a whole subtree by (level, position).
    """
    return tuple(
        fold([hash_of(level, position) for level, position in whole_subtrees(start, end)])
        for start, end in ranges
    )


def check_inclusion(
    hash_of_leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Return when the path leads from the leaf to the root (RFC 9162, section 2.1.3.2).

    Raises:
        InclusionWrong: it does not, or no such proof can exist.
    """
    if not 0 <= index < size or not _are_hashes((hash_of_leaf, root, *path)):
        raise InclusionWrong(f"No proof of leaf {index} in a tree of {size} has this form.")
    current = hash_of_leaf
    first, last = index, size - 1
    for sibling in path:
        if last == 0:
            raise InclusionWrong("The path is longer than the tree is high.")
        if first & 1 or first == last:
            current = node_hash(sibling, current)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        first, last = first >> 1, last >> 1
    if last or current != root:
        raise InclusionWrong(f"Leaf {index} is not in the tree of {size} with this root.")


def check_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Return when the newer tree begins with the older one (RFC 9162, section 2.1.4.2).

    Raises:
        ConsistencyWrong: it does not, or no such proof can exist.
    """
    failure = ConsistencyWrong(
        f"The tree of {new_size} does not begin with the tree of {old_size}."
    )
    if not 0 < old_size <= new_size or not _are_hashes((old_root, new_root, *path)):
        raise failure
    if old_size == new_size:
        if path or old_root != new_root:
            raise failure
        return
    first, last = old_size - 1, new_size - 1
    # A whole subtree's root is not repeated in the path: the verifier has it.
    hashes = [old_root, *path] if old_size & first == 0 else list(path)
    while first & 1:
        first, last = first >> 1, last >> 1
    if not hashes:
        raise failure
    if _climb(first, last, hashes) != (old_root, new_root):
        raise failure


def _climb(first: int, last: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the two roots that the hashes lead to; None when their number is wrong."""
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        first, last = first >> 1, last >> 1
    return None if last else (old, new)


def _split(size: int) -> int:
    """Return the largest power of two below the size."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(values: Sequence[bytes]) -> bool:
    return len(values) <= MAX_PATH_HASHES + 2 and all(len(one) == HASH_BYTES for one in values)
