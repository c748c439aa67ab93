"""A git repository of somebody who pushes, with the plumbing that hostile trees are made of."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Vera Vendor",
    "GIT_AUTHOR_EMAIL": "vera@acme.example",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Vera Vendor",
    "GIT_COMMITTER_EMAIL": "vera@acme.example",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "LC_ALL": "C.UTF-8",
}


class TrialRepository:
    """A repository in a folder, with ``main`` as its branch.

    Args:
        folder: new.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run git here and return its output.

        Raises:
            CalledProcessError: git failed.
        """
        done = self.run(*arguments, stdin=stdin)
        done.check_returncode()
        return done.stdout

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run git here and return how it went."""
        return subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, **_ENVIRONMENT},
        )

    def commit(self, files: Mapping[str, str | bytes], message: str = "change") -> str:
        """Write files, commit them and return the commit's id."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head()

    def head(self) -> str:
        """Return the id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").decode().strip()

    def blob(self, content: bytes) -> str:
        """Store a blob and return its id."""
        return self.git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """Store a tree exactly as said, however wrong, and return its id.

        Args:
            entries: mode (octal digits), name and object id of each line.
        """
        raw = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
            for mode, name, object_id in entries
        )
        arguments = ("hash-object", "-t", "tree", "--literally", "-w", "--stdin")
        return self.git(*arguments, stdin=raw).decode().strip()

    def commit_tree(self, tree: str, ref: str = "refs/heads/main") -> str:
        """Commit a tree, point a ref to it and return the commit's id."""
        commit = self.git("commit-tree", tree, "-m", "made by hand").decode().strip()
        self.git("update-ref", ref, commit)
        return commit

    def push(self, url: str, token: str, *refs: str, options: Sequence[str] = ()) -> Pushed:
        """Push refs to ``<url>/git/acme/engine/core.git`` and return what git said."""
        address = url.replace("http://", f"http://x:{token}@") + "/git/acme/engine/core.git"
        done = self.run(*options, "push", "--porcelain", address, *(refs or ("main",)))
        return Pushed(done.returncode == 0, (done.stdout + done.stderr).decode())


class Pushed:
    """How a push went: whether git believes in it, and all that it printed."""

    def __init__(self, is_accepted: bool, text: str) -> None:
        self.is_accepted = is_accepted
        # Git fills remote lines up with blanks.
        self.text = "\n".join(line.rstrip() for line in text.splitlines())
