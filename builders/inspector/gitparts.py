"""Open a git bundle into a work tree, without running anything that it brings.

A bundle carries neither configuration nor hooks; the new repository gets no template. Filters and
drivers named in ``.gitattributes`` need configuration to run, and there is none. Submodules are
not fetched: there is no network, and none would be wanted.
"""

from __future__ import annotations

import os
import re
import subprocess

from builders.inspector.bounds import GIT_OUTPUT_BYTES_MAX, GIT_SECONDS_MAX
from builders.inspector.swhid import SUBMODULE, Entry
from builders.inspector.unpacking import Damaged

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
_OPTIONS = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.protectHFS=true",
    "-c", "core.protectNTFS=true",
    "-c", "protocol.allow=never",
    "-c", "protocol.file.allow=always",
    "-c", "gc.auto=0",
    "-c", "submodule.recurse=false",
    "-c", "advice.detachedHead=false",
    "-c", "init.defaultBranch=deposit",
)  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Where a bundle does not say which branch is the main one, these are asked for in order.
_USUAL_BRANCHES = ("main", "master", "trunk", "develop")


def open_bundle(bundle: bytes, folder: bytes, commit: str | None) -> str:
    """Make a repository of a bundle in an empty folder, check a commit out, and return its id.

    Args:
        bundle: path of the bundle.
        folder: where the work tree goes.
        commit: the deposited commit; None takes the bundle's HEAD or its main branch.

    Raises:
        Damaged: git refuses the bundle, or the commit is not in it.
    """
    heads = _heads(_git(b".", "bundle", "list-heads", os.fsdecode(bundle)))
    chosen = commit if commit is not None else _main(heads)
    if chosen is None or not _COMMIT.fullmatch(chosen):
        raise Damaged("the bundle names no branch and no commit")
    length = next(iter(heads.values()), chosen)
    form = "sha256" if len(length) == 64 else "sha1"
    _git(b".", "init", "-q", "--template=", f"--object-format={form}", os.fsdecode(folder))
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    _git(folder, "fetch", "-q", "--update-head-ok", "--no-tags", os.fsdecode(bundle), *refs)
    _git(folder, "checkout", "-q", "--detach", chosen)
    return chosen


def committed_at(folder: bytes) -> int | None:
    """Return the time that the commit states."""
    text = _git(folder, "log", "-1", "--format=%ct").decode().strip()
    return int(text) if text.isdigit() else None


def submodules(folder: bytes) -> tuple[Entry, ...]:
    """Return the submodules of the commit: path, and the commit that belongs there."""
    listing = _git(folder, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
    found = []
    for row in listing.split(b"\0"):
        if row.startswith(SUBMODULE.encode() + b" "):
            meta, _, path = row.partition(b"\t")
            found.append(Entry(path, SUBMODULE, 0, None, meta.split(b" ")[2].decode()))
    return tuple(found)


def _heads(listing: bytes) -> dict[str, str]:
    rows = (line.split(" ", 1) for line in listing.decode("utf-8", "replace").splitlines())
    return {row[1]: row[0] for row in rows if len(row) == 2 and _COMMIT.fullmatch(row[0])}


def _main(heads: dict[str, str]) -> str | None:
    names = ["HEAD", *(f"refs/heads/{name}" for name in _USUAL_BRANCHES)]
    names += sorted(name for name in heads if name.startswith("refs/heads/"))
    names += sorted(heads, reverse=True)
    return next((heads[name] for name in names if name in heads), None)


def _git(folder: bytes, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise Damaged("git takes too long over the bundle") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise Damaged(f"git says: {said[-1]}")
    return done.stdout[:GIT_OUTPUT_BYTES_MAX]
