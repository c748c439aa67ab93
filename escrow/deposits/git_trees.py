"""Walk the trees that pushed refs point to, with one git process, each distinct tree once.

The walk goes down first and judges on the way up; it holds the folders on one path, never the
repository. What it may hold is bounded, since the pusher chooses how large folders are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO

from escrow.deposits.errors import GitFailed, TreeForbidden
from escrow.deposits.git import ReceiveRepository
from escrow.deposits.git_wire import RefUpdate
from escrow.deposits.policy import (
    MAX_LINK_BYTES,
    MAX_PROBLEMS,
    MODE_LINK,
    MODE_TREE,
    TreeEntry,
    TreeProblem,
    TreeView,
    judge_tree,
    parse_tree,
    root_problems,
    submodule_problem,
)
from escrow.deposits.refs import head_of

# A folder of some 50,000 files; larger ones no tool lists.
MAX_TREE_BYTES = 4 * 1024 * 1024

# Entries of all folders that are open at once, on the way from the root to a leaf.
MAX_OPEN_ENTRIES = 250_000

# Requests in one go must fit a pipe (64 KiB) together, or two full pipes wait for each other.
_BATCH = 64

# What one batch may keep in memory; the rest of it is asked for again.
_BATCH_BYTES = 16 * 1024 * 1024

_REMEDY = "Mend it in a new commit, move the refs to it and push again."

# The head of a commit is short; its message is not read.
_MAX_COMMIT_BYTES = 64 * 1024
_COMMITTED_AT = re.compile(rb"^committer .*> (\d{1,15}) ", re.MULTILINE)

# A .gitmodules larger than this lists thousands of submodules.
_MAX_CONFIG_BYTES = 1024 * 1024


@dataclass
class _Folder:
    """A tree on the way: its entries, and the subtrees that have no view yet."""

    object_id: str
    entries: list[TreeEntry]
    pending: list[str] = field(default_factory=list)


class ObjectReader:
    """Reads objects by id through one ``git cat-file --batch``; a context manager."""

    def __init__(self, repository: ReceiveRepository) -> None:
        self._process = repository.reader(["cat-file", "--batch"])
        # The id of the object that was read last: tags and trees are asked for by other names.
        self.last_id = ""

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()

    def read(self, names: Sequence[str], limit_bytes: int) -> dict[str, bytes | None]:
        """Return the objects of some names; None for a name that names none.

        Of an object over the limit only one byte more than the limit is returned. Names beyond
        the batch's memory are left out: ask for them again.
        """
        requests = self._pipe(self._process.stdin)
        requests.write("".join(f"{name}\n" for name in names).encode())
        requests.flush()
        found: dict[str, bytes | None] = {}
        kept = 0
        for name in names:
            size = self._size()
            if size is None:
                found[name] = None
                continue
            wanted = min(size, limit_bytes + 1)
            if kept and kept + wanted > _BATCH_BYTES:
                self._content(size, 0)
                continue
            found[name] = self._content(size, wanted)
            kept += wanted
        return found

    def commit(self, object_id: str) -> tuple[int, str] | None:
        """Return time and id of the commit that an object is or that a tag names."""
        content = self.read([f"{object_id}^{{commit}}"], _MAX_COMMIT_BYTES).popitem()[1]
        if content is None:
            return None
        found = _COMMITTED_AT.search(content)
        return (int(found[1]) if found else 0, self.last_id)

    def _size(self) -> int | None:
        words = self._pipe(self._process.stdout).readline().split()
        if not words:
            raise GitFailed("Git stopped while its objects were read.", "Push again.")
        if words[-1] == b"missing":
            return None
        self.last_id = words[0].decode()
        return int(words[2])

    def _content(self, size: int, wanted: int) -> bytes:
        """Read an object's bytes and the line break behind it, and keep the first ones."""
        stream = self._pipe(self._process.stdout)
        content = stream.read(wanted)
        left = size + 1 - wanted
        while left:
            skipped = len(stream.read(min(left, 1024 * 1024)))
            if not skipped:
                raise GitFailed("Git stopped while its objects were read.", "Push again.")
            left -= skipped
        return content

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise RuntimeError("a process without its pipes")
        return pipe


class TreeWalk:
    """Views of trees, remembered by id, so that what tags share is judged once."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._views: dict[str, TreeView] = {}
        self._open: list[_Folder] = []

    def view(self, folder: _Folder) -> TreeView:
        """Return the view of a tree and, on the way, of everything below it.

        Raises:
            TreeForbidden: a folder is too large to be judged.
        """
        self._open = [folder]
        while self._open:
            current = self._open[-1]
            current.pending = [name for name in current.pending if name not in self._views]
            if current.pending:
                self._descend(current.pending)
            else:
                self._views[current.object_id] = self._judge(current)
                self._open.pop()
        return self._views[folder.object_id]

    def root(self, commit_id: str) -> _Folder | None:
        """Return the root tree of a commit or tag; None when a tag names no commit."""
        name = f"{commit_id}^{{tree}}"
        raw = self._objects.read([name], MAX_TREE_BYTES)[name]
        return None if raw is None else _folder(name, raw)

    def _descend(self, names: Sequence[str]) -> None:
        held = sum(len(folder.entries) for folder in self._open)
        if held > MAX_OPEN_ENTRIES:
            raise _too_large()
        # Folders come one at a time once many entries are held.
        batch = names[: _BATCH if held < MAX_OPEN_ENTRIES // 4 else 1]
        for name, raw in self._objects.read(batch, MAX_TREE_BYTES).items():
            self._open.append(_folder(name, raw))

    def _judge(self, folder: _Folder) -> TreeView:
        links = [entry for entry in folder.entries if entry.mode == MODE_LINK]
        targets = self._targets([entry.object_id for entry in links])
        return judge_tree(
            folder.entries,
            {entry.name: targets[entry.object_id] for entry in links},
            {e.name: self._views[e.object_id] for e in folder.entries if e.mode == MODE_TREE},
        )

    def _targets(self, names: Sequence[str]) -> dict[str, bytes]:
        targets: dict[str, bytes] = {}
        for at in range(0, len(names), _BATCH):
            read = self._objects.read(names[at : at + _BATCH], MAX_LINK_BYTES)
            # An unreadably long target is judged like an empty one: no usable target.
            targets |= {name: target or b"" for name, target in read.items()}
        return targets


def examine_push(repository: ReceiveRepository, updates: Sequence[RefUpdate]) -> str | None:
    """Judge every tree to which a pushed ref points, and return the commit that leads.

    That is the tip of the main branch, else of the first branch, else the youngest tagged commit;
    None when no ref names a commit.

    Raises:
        TreeForbidden: naming the places, at most :data:`~escrow.deposits.policy.MAX_PROBLEMS`.
    """
    problems: dict[str, TreeProblem] = {}
    modules: set[str] = set()
    with ObjectReader(repository) as objects:
        walk = TreeWalk(objects)
        for commit_id in sorted({update.new for update in updates}):
            root = walk.root(commit_id)
            if root is None:
                continue
            for problem in root_problems(walk.view(root)):
                problems.setdefault(str(problem), problem)
            modules |= {e.object_id for e in root.entries if e.name == b".gitmodules"}
        head = _leading_commit(objects, updates)
    for blob_id in sorted(modules):
        for problem in _submodule_problems(repository, blob_id):
            problems.setdefault(str(problem), problem)
    if problems:
        raise forbidden(list(problems.values()))
    return head


def forbidden(problems: Sequence[TreeProblem]) -> TreeForbidden:
    """Return the error that names some problems of a tree."""
    shown = tuple(str(problem) for problem in problems[:MAX_PROBLEMS])
    error = TreeForbidden(f"The tree holds what cannot be deposited: {shown[0]}", _REMEDY)
    error.problems = shown
    return error


def _folder(name: str, raw: bytes | None) -> _Folder:
    if raw is None:
        raise GitFailed("A tree is missing though git accepted the push.", "Push again.")
    if len(raw) > MAX_TREE_BYTES:
        raise _too_large()
    entries = parse_tree(raw)
    return _Folder(name, entries, [e.object_id for e in entries if e.mode == MODE_TREE])


def _leading_commit(objects: ObjectReader, updates: Sequence[RefUpdate]) -> str | None:
    branch = head_of(updates)
    candidates = [update.new for update in updates if branch in (None, update.ref)]
    found = [commit for name in candidates if (commit := objects.commit(name))]
    return max(found)[1] if found else None


def _submodule_problems(repository: ReceiveRepository, blob_id: str) -> list[TreeProblem]:
    """Git itself parses the file: its grammar has more corners than a reader of ours would."""
    arguments = ["config", "-z", "--blob", blob_id, "--get-regexp", r"^submodule\..*\.url$"]
    with repository.reader(arguments) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without its pipes")
        process.stdin.close()
        output = process.stdout.read(_MAX_CONFIG_BYTES)
        process.stdout.close()
    if process.returncode not in (0, 1):
        return [TreeProblem(b".gitmodules", "git cannot read it.")]
    found = []
    for line in output.split(b"\0")[:-1]:
        sentence = submodule_problem(line.partition(b"\n")[2].decode("utf-8", "replace"))
        found += [TreeProblem(b".gitmodules", sentence)] if sentence else []
    return found


def _too_large() -> TreeForbidden:
    return forbidden([TreeProblem(b"", "a folder has more entries than can be judged.")])
