"""The tree policy over values."""

from __future__ import annotations

import pytest

from escrow.deposits.policy import (
    MAX_FILES,
    MAX_PATH_BYTES,
    MAX_PROBLEMS,
    MODE_LINK,
    MODE_SUBMODULE,
    MODE_TREE,
    TreeEntry,
    TreeView,
    judge_tree,
    parse_tree,
    printable,
    root_problems,
    submodule_problem,
)

OID = "0" * 40


def file(name: bytes, mode: int = 0o100644) -> TreeEntry:
    return TreeEntry(mode, name, OID)


def link_view(target: bytes, depth: int = 0) -> TreeView:
    """The root of a checkout with one link, that many folders deep."""
    view = judge_tree([TreeEntry(MODE_LINK, b"l", OID)], {b"l": target}, {})
    for _ in range(depth):
        view = judge_tree([TreeEntry(MODE_TREE, b"d", OID)], {}, {b"d": view})
    return view


def sentences(view: TreeView) -> str:
    return " ".join(str(problem) for problem in root_problems(view))


def test_an_ordinary_tree_has_no_problem() -> None:
    entries = [file(b"README.md"), file(b"run", 0o100755), TreeEntry(MODE_SUBMODULE, b"lib", OID)]
    assert root_problems(judge_tree(entries, {}, {})) == ()


def test_names_of_other_scripts_are_fine() -> None:
    names = ["größe.txt", "日本語", "données (v2)", "a b.c"]
    view = judge_tree([file(name.encode()) for name in names], {}, {})
    assert root_problems(view) == ()


def test_names_that_are_not_utf8_are_fine() -> None:
    assert root_problems(judge_tree([file(b"caf\xe9")], {}, {})) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"Makefile", b"makefile"),
        ("é".encode(), "e\u0301".encode()),
        ("straße".encode(), b"STRASSE"),
        (b"caf\xe9", b"CAF\xe9"),
    ],
)
def test_colliding_names(one: bytes, other: bytes) -> None:
    assert "the same name as" in sentences(judge_tree([file(one), file(other)], {}, {}))


def test_a_file_and_a_folder_collide() -> None:
    entries = [file(b"Docs"), TreeEntry(MODE_TREE, b"docs", OID)]
    assert "the same name" in sentences(judge_tree(entries, {}, {b"docs": TreeView()}))


@pytest.mark.parametrize("name", [b"a\x00b", b"a\x7f", "a\u0085b".encode(), b"tab\there", b"a\n"])
def test_control_characters(name: bytes) -> None:
    assert "control character" in sentences(judge_tree([file(name)], {}, {}))


@pytest.mark.parametrize("mode", [0o100600, 0o100777, 0o104755, 0o060000, 0])
def test_modes_that_git_does_not_write(mode: int) -> None:
    assert "file mode" in sentences(judge_tree([file(b"x", mode)], {}, {}))


def test_the_mode_of_old_gits_is_fine() -> None:
    assert root_problems(judge_tree([file(b"x", 0o100664)], {}, {})) == ()


@pytest.mark.parametrize(
    ("target", "depth"),
    [(b"x", 0), (b"a/b", 0), (b"../x", 1), (b"../../x", 2), (b"./x", 0), (b"..", 1), (b".", 0)],
)
def test_links_that_stay_inside(target: bytes, depth: int) -> None:
    assert root_problems(link_view(target, depth)) == ()


@pytest.mark.parametrize(
    ("target", "depth"),
    [
        (b"../x", 0),
        (b"..", 0),
        (b"../../x", 1),
        (b"/x", 3),
        (b"", 0),
        (b"a/../../x", 1),
        (b"D:/x", 1),
        (b"\\\\host\\x", 1),
        (b"x" * 4097, 1),
    ],
)
def test_links_that_do_not(target: bytes, depth: int) -> None:
    assert "symbolic link" in sentences(link_view(target, depth))


def test_a_climbing_link_is_named_with_its_path() -> None:
    assert "d/d/l: the symbolic link leads out of the tree." in sentences(
        link_view(b"../../../x", 2)
    )


def test_problems_are_named_with_their_path_and_counted_off() -> None:
    below = judge_tree([file(b"\x01%d" % i) for i in range(50)], {}, {})
    view = judge_tree([TreeEntry(MODE_TREE, b"folder", OID)], {}, {b"folder": below})
    assert len(root_problems(view)) == MAX_PROBLEMS
    assert str(root_problems(view)[0]).startswith("folder/\\x010: ")


def test_files_are_counted_through_shared_trees() -> None:
    view = judge_tree([file(b"x")], {}, {})
    for _ in range(7):
        entries = [TreeEntry(MODE_TREE, b"%d" % i, OID) for i in range(10)]
        view = judge_tree(entries, {}, {entry.name: view for entry in entries})
    assert view.files == 10 * MAX_FILES
    assert "10000000 files; at most 1000000." in sentences(view)


def test_a_path_that_is_too_long_in_all() -> None:
    view = judge_tree([file(b"x")], {}, {})
    while view.path_bytes <= MAX_PATH_BYTES:
        name = b"d" * 200
        view = judge_tree([TreeEntry(MODE_TREE, name, OID)], {}, {name: view})
    assert "a path of" in sentences(view)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id",
        "EXT::sh",
        " ext::x",
        "fd::7",
        "file:///etc",
        "FILE:/x",
        "/srv/x.git",
        "~/x",
        "C:\\x",
    ],
)
def test_submodule_addresses_that_are_refused(url: str) -> None:
    assert submodule_problem(url) is not None


@pytest.mark.parametrize(
    "url",
    ["https://example.org/x.git", "ssh://git@example.org/x", "git@example.org:x/y.git", "../x.git"],
)
def test_submodule_addresses_that_are_fine(url: str) -> None:
    assert submodule_problem(url) is None


def test_a_tree_is_parsed() -> None:
    raw = b"100644 a\0" + bytes(20) + b"40000 b c\0" + bytes.fromhex("ab" * 20)
    assert parse_tree(raw) == [file(b"a"), TreeEntry(MODE_TREE, b"b c", "ab" * 20)]


@pytest.mark.parametrize("raw", [b"100644 a\0" + bytes(19), b"x a\0" + bytes(20), b"100644"])
def test_a_broken_tree_is_not(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_tree(raw)


def test_nothing_printed_can_steer_a_terminal() -> None:
    shown = printable(b"a\x1b[2J\r\n\xff" + "\u202e".encode() + b"z" * 500)
    assert shown.isprintable()
    assert len(shown) < 200
