"""Which refs count, and what a push may do to them."""

from __future__ import annotations

import pytest

from escrow.deposits.errors import BadProduct, PushRefused
from escrow.deposits.git_wire import ZERO_ID, PushCommands, RefUpdate
from escrow.deposits.refs import MAX_REFS, check_patterns, check_push, head_of, is_counted

ONE = "1" * 40
PATTERNS = ("refs/heads/main", "refs/tags/*")


def creating(*refs: str) -> PushCommands:
    return PushCommands(tuple(RefUpdate(ZERO_ID, ONE, ref) for ref in refs))


def reasons(commands: PushCommands, *, snapshot: bool = False) -> dict[str, str]:
    with pytest.raises(PushRefused) as caught:
        check_push(commands, PATTERNS, snapshot=snapshot)
    return caught.value.refs


def test_refs_that_count_are_taken() -> None:
    check_push(creating("refs/heads/main", "refs/tags/v1"), PATTERNS, snapshot=False)


def test_one_bad_ref_refuses_all() -> None:
    found = reasons(creating("refs/heads/main", "refs/heads/x"))
    assert "not taken, since all refs" in found["refs/heads/main"]
    assert "does not count" in found["refs/heads/x"]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("refs/replace/" + ONE, "replace refs"),
        ("refs/notes/x", "only branches and tags"),
        ("HEAD", "only branches and tags"),
        ("refs/tags/a\x1bb", "not printable"),
        ("refs/tags/" + "x" * 300, "longer than"),
    ],
)
def test_refs_of_other_kinds(ref: str, reason: str) -> None:
    assert reason in reasons(creating(ref))[ref]


def test_deletes_and_updates() -> None:
    gone = PushCommands((RefUpdate(ONE, ZERO_ID, "refs/tags/v1"),))
    moved = PushCommands((RefUpdate(ONE, ONE, "refs/tags/v1"),))
    assert reasons(gone)["refs/tags/v1"] == "a deposit deletes nothing"
    assert "nothing to update" in reasons(moved)["refs/tags/v1"]


def test_a_ref_named_twice() -> None:
    assert reasons(creating("refs/tags/v1", "refs/tags/v1")) == {
        "refs/tags/v1": "a ref is named twice"
    }


def test_a_flood_of_refs() -> None:
    flood = creating(*(f"refs/tags/{i}" for i in range(MAX_REFS + 1)))
    assert set(reasons(flood).values()) == {f"more than {MAX_REFS} refs in one push"}


@pytest.mark.parametrize(
    ("snapshot", "remedy"), [(False, "git fetch --unshallow"), (True, "escrow deposit send")]
)
def test_a_shallow_push_and_its_remedy(snapshot: bool, remedy: str) -> None:
    commands = PushCommands(creating("refs/heads/main").updates, shallow=(ONE,))
    with pytest.raises(PushRefused) as caught:
        check_push(commands, PATTERNS, snapshot=snapshot)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("ref", "pattern", "counts"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main2", "refs/heads/main", False),
        ("refs/heads/release/4.2", "refs/heads/release/*", True),
        ("refs/heads/released", "refs/heads/release/*", False),
        ("refs/tags/a/b", "refs/tags/*", True),
        ("refs/heads/x", "refs/heads/*", True),
    ],
)
def test_patterns(ref: str, pattern: str, counts: bool) -> None:
    assert is_counted(ref, [pattern]) is counts


@pytest.mark.parametrize(
    "patterns", [[], ["main"], ["refs/notes/*"], ["refs/heads/*/x"], ["refs/heads/a b"], ["refs/*"]]
)
def test_patterns_that_name_no_branches_or_tags(patterns: list[str]) -> None:
    with pytest.raises(BadProduct):
        check_patterns(patterns)


@pytest.mark.parametrize(
    ("refs", "head"),
    [
        (["refs/heads/a", "refs/heads/main", "refs/heads/master"], "refs/heads/main"),
        (["refs/heads/z", "refs/heads/master"], "refs/heads/master"),
        (["refs/heads/z", "refs/heads/b"], "refs/heads/b"),
        (["refs/tags/v1"], None),
    ],
)
def test_the_branch_that_leads(refs: list[str], head: str | None) -> None:
    assert head_of(creating(*refs).updates) == head
