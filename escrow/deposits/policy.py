"""What a tree and a ref may look like: the rules on top of git's own fsck, pure.

``receive.fsckObjects`` refuses what git itself would stumble over (``.git`` in its many
spellings, ``..``, duplicate names) in the whole history. It lets pass what breaks or betrays a
reader on another system, and this module judges that, in every tree to which a pushed ref points:
those are what a beneficiary checks out and what the trial build reads. Older commits are not
judged, since the only remedy would be to rewrite a history that no longer harms anybody; git's
own checks do cover them.

A tree is judged once, from its entries and from the views of its subtrees, so that a history of
a thousand tags costs as much as its distinct trees.

Not here: whether an LFS pointer has its object, or a submodule its source (the inventory says).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

# NAME_MAX of every common file system.
MAX_NAME_BYTES = 255

# PATH_MAX is 4096; the rest is room for the folder into which the tree is unpacked.
MAX_PATH_BYTES = 3072

# A checkout of more files is a bomb: shared subtrees cost a pusher nothing and a reader all.
MAX_FILES = 1_000_000

# A link longer than this points nowhere on Linux (PATH_MAX).
MAX_LINK_BYTES = 4096

# Enough to mend a tree in one go, few enough to read in a terminal.
MAX_PROBLEMS = 8

MODE_TREE = 0o040000
MODE_LINK = 0o120000
MODE_SUBMODULE = 0o160000
# 100664 was written by git before 2005 and is still valid by its fsck; checkouts read it as 644.
MODES = frozenset({MODE_TREE, 0o100644, 0o100664, 0o100755, MODE_LINK, MODE_SUBMODULE})

_PLAIN_NAME = re.compile(rb"[A-Za-z0-9._+@=,~ ()\[\]{}!#$%&'^;-]+")
_DRIVE = re.compile(rb"[A-Za-z]:")
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")


class TreeEntry(NamedTuple):
    """One line of a tree object."""

    mode: int
    name: bytes
    object_id: str


@dataclass(frozen=True)
class TreeProblem:
    """Something that the policy forbids, with the path from the tree at hand to it."""

    path: bytes
    sentence: str

    def below(self, folder: bytes) -> TreeProblem:
        """Return the same problem as seen from the parent folder."""
        return TreeProblem(folder + b"/" + self.path, self.sentence)

    def __str__(self) -> str:
        return f"{printable(self.path)}: {self.sentence}"


@dataclass(frozen=True)
class TreeView:
    """All that a parent must know of a judged tree.

    Attributes:
        files: how many files a checkout of it would make.
        path_bytes: length of its longest path.
        climb: by how many folders the link that climbs highest leaves this tree (0: none does).
        climber: path of that link.
        problems: at most :data:`MAX_PROBLEMS`.
    """

    files: int = 0
    path_bytes: int = 0
    climb: int = 0
    climber: bytes = b""
    problems: tuple[TreeProblem, ...] = ()


def printable(path: bytes) -> str:
    """Return a path that is safe to print in a terminal: everything odd is escaped."""
    text = path.decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= 200 else f"{shown[:120]}…{shown[-60:]}"


@cache
def _lines(id_bytes: int) -> re.Pattern[bytes]:
    return re.compile(rb"([0-7]{1,7}) ([^\0]+)\0(.{%d})" % id_bytes, re.DOTALL)


def parse_tree(raw: bytes, id_bytes: int = 20) -> list[TreeEntry]:
    """Return the entries of a raw tree object (git's tree format; fsck has passed it).

    Raises:
        ValueError: the object is cut short or a mode is no octal number.
    """
    entries, size = [], 0
    for mode, name, object_id in _lines(id_bytes).findall(raw):
        entries.append(TreeEntry(int(mode, 8), name, object_id.hex()))
        size += len(mode) + len(name) + id_bytes + 2
    if size != len(raw):
        raise ValueError("tree object cut short")
    return entries


def judge_tree(
    entries: Sequence[TreeEntry],
    links: Mapping[bytes, bytes],
    subtrees: Mapping[bytes, TreeView],
) -> TreeView:
    """Return the view of a tree.

    Args:
        entries: its lines.
        links: the target of each symbolic link among them, by name.
        subtrees: the view of each subtree among them, by name.
    """
    names = [entry.name for entry in entries]
    problems = [
        TreeProblem(name, sentence)
        for mode, name, _ in entries
        for sentence in _entry_sentences(mode, name)
    ]
    problems += _collisions(names)
    files, climb, climber = len(entries) - len(subtrees), 0, b""
    longest = max(map(len, names), default=0)
    for name, target in links.items():
        problem, levels = _judge_link(target)
        problems += [TreeProblem(name, problem)] if problem else []
        climb, climber = max((climb, climber), (levels, name))
    for name, view in subtrees.items():
        files += view.files
        longest = max(longest, len(name) + 1 + view.path_bytes)
        climb, climber = max((climb, climber), (view.climb - 1, _join(name, view.climber)))
        problems += [problem.below(name) for problem in view.problems]
    return TreeView(files, longest, climb, climber, tuple(problems[:MAX_PROBLEMS]))


def root_problems(view: TreeView) -> tuple[TreeProblem, ...]:
    """Return the problems of a whole checkout, whose root tree has this view."""
    problems = list(view.problems)
    if view.climb:
        problems.append(TreeProblem(view.climber, "the symbolic link leads out of the tree."))
    if view.path_bytes > MAX_PATH_BYTES:
        problems.append(
            TreeProblem(b"", f"a path of {view.path_bytes} bytes; at most {MAX_PATH_BYTES}.")
        )
    if view.files > MAX_FILES:
        problems.append(TreeProblem(b"", f"{view.files} files; at most {MAX_FILES}."))
    return tuple(problems[:MAX_PROBLEMS])


def submodule_problem(url: str) -> str | None:
    """Return why a submodule's address must not be followed, or None when it may.

    ``ext::`` runs a command and ``file:`` or a bare path reads the reader's own disk.
    """
    plain = url.strip()
    if _REMOTE_HELPER.match(plain):
        return f"the submodule address {printable(plain.encode())!r} names a remote helper."
    if plain.lower().startswith("file:") or plain.startswith(("/", "~", "\\")):
        return f"the submodule address {printable(plain.encode())!r} names a local folder."
    if _DRIVE.match(plain.encode("utf-8", "replace")):
        return f"the submodule address {printable(plain.encode())!r} names a local drive."
    return None


# The same lines stand in version after version of a tree.
@lru_cache(maxsize=65_536)
def _entry_sentences(mode: int, name: bytes) -> tuple[str, ...]:
    found = []
    if mode not in MODES:
        found.append(f"the file mode {mode:06o} is none that git writes.")
    if len(name) > MAX_NAME_BYTES:
        found.append(f"the name has {len(name)} bytes; at most {MAX_NAME_BYTES}.")
    if not _PLAIN_NAME.fullmatch(name):
        found += _odd_characters(name)
    return tuple(found)


def _odd_characters(name: bytes) -> list[str]:
    found = []
    if b"\\" in name:
        found.append("the name holds a backslash, which Windows reads as a folder.")
    if name.endswith(b"\r"):
        found.append("the name ends in a carriage return.")
    elif any(unicodedata.category(c) == "Cc" for c in name.decode("utf-8", "replace")):
        found.append("the name holds a control character.")
    return found


def _collisions(names: Sequence[bytes]) -> list[TreeProblem]:
    """Two names that are one on a system that folds case or composes accents."""
    # Nearly every folder has plain names that differ: one pass in C tells.
    if b"".join(names).isascii() and len({name.lower() for name in names}) == len(names):
        return []
    seen: dict[str, bytes] = {}
    found = []
    for name in names:
        key = _collision_key(name)
        if key in seen:
            other = printable(seen[key])
            found.append(TreeProblem(name, f"the same name as {other!r} on many systems."))
        seen[key] = name
    return found


def _collision_key(name: bytes) -> str:
    if name.isascii():
        return name.decode().lower()
    return unicodedata.normalize("NFKC", name.decode("utf-8", "surrogateescape")).casefold()


def _judge_link(target: bytes) -> tuple[str | None, int]:
    """Return what is wrong with a link's target, and how many folders it climbs.

    ``..`` is allowed at the front only. There it climbs real folders; behind another link it
    would climb wherever that one leads, and lexical counting would be fooled.
    """
    if not target or len(target) > MAX_LINK_BYTES:
        return "the symbolic link has no usable target.", 0
    if target.startswith((b"/", b"\\")) or _DRIVE.match(target):
        return "the symbolic link is absolute.", 0
    steps = [step for step in target.split(b"/") if step not in (b"", b".")]
    climbs = 0
    while climbs < len(steps) and steps[climbs] == b"..":
        climbs += 1
    if b".." in steps[climbs:]:
        return "the symbolic link climbs after descending; write its target in short form.", 0
    return None, climbs


def _join(name: bytes, rest: bytes) -> bytes:
    return name + b"/" + rest if rest else name
