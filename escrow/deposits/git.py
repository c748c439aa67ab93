"""A fresh bare repository for one push: git receives into it, we read it, it is destroyed.

Guarantees: git runs with fixed arguments (no string of a client among them), confined, without
hooks, and checks every object (fsck) and that nothing is missing. What git accepted is the whole
history of the refs pushed. Nothing is ever checked out, and nothing outlives the push.

The bundle is written from the one pack that git kept: the repository was empty, so that pack is
complete in itself, and ``git bundle create`` would enumerate and copy the very same objects
again. A bundle (gitformat-bundle(5), version 2) is a list of refs in front of a pack.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from escrow.deposits.errors import GitFailed
from escrow.deposits.git_confinement import ENVIRONMENT, GitConfinement
from escrow.deposits.git_wire import PushCommands, RefUpdate
from escrow.ground.digests import Sha256Hex

_CHUNK_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024

# The end of what git said on its standard error, for the operator's log.
_STDERR_BYTES = 4096

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


def receive_settings(pack_bytes: int) -> list[str]:
    """Return git's settings for receiving; each is stated, whatever its default."""
    settings = {
        # No program but git runs: no hooks, no helpers. (A fresh repository has no alternates, and
        # an empty core.alternateRefsCommand would be run as a command without a name.)
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "protocol.allow": "never",
        # Every object is checked, in its meaning for Windows and macOS too.
        "receive.fsckObjects": "true",
        "transfer.fsckObjects": "true",
        "core.protectHFS": "true",
        "core.protectNTFS": "true",
        # Slips of old git versions that harm nobody, in histories that nobody can mend.
        "receive.fsck.zeroPaddedFilemode": "ignore",
        "receive.fsck.badTimezone": "ignore",
        "receive.fsck.missingSpaceBeforeDate": "ignore",
        # Modes are judged by the tree policy, where a commit can mend them.
        "receive.fsck.badFilemode": "ignore",
        # One pack, bounded, kept as it came.
        "receive.unpackLimit": "1",
        "receive.maxInputSize": str(pack_bytes),
        "receive.autogc": "false",
        "gc.auto": "0",
        "receive.advertisePushOptions": "false",
        "receive.denyDeletes": "true",
        "receive.shallowUpdate": "false",
        # Mapped windows count as memory under the limit; large blobs are streamed, not held.
        "core.packedGitWindowSize": "64m",
        "core.packedGitLimit": "512m",
        "core.bigFileThreshold": "64m",
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


@dataclass(frozen=True)
class PackSummary:
    """What the pack of a push holds; its SHA-256 is known once it was streamed."""

    objects: int
    size_bytes: int
    pack_sha256: Sha256Hex


class ReceiveRepository:
    """One bare repository in scratch, from its making to its end.

    Args:
        folder: a new folder of ours, which only this push uses.
        confinement: how git is run.
    """

    def __init__(self, folder: Path, confinement: GitConfinement) -> None:
        self.folder = folder
        self.git_dir = folder / "repository.git"
        self._confinement = confinement

    def create(self) -> None:
        """Lay an empty bare repository that belongs to git's user.

        Raises:
            FileExistsError: something lies there already.
        """
        self.folder.mkdir(mode=0o711)
        folders = [self.git_dir, self.git_dir / "objects", self.git_dir / "objects/pack"]
        folders += [self.git_dir / "refs", self.git_dir / "refs/heads", self.git_dir / "refs/tags"]
        for folder in folders:
            folder.mkdir(mode=0o700)
        (self.git_dir / "HEAD").write_text("ref: refs/heads/main\n")
        (self.git_dir / "config").write_text(_CONFIG)
        self._confinement.give(*folders, self.git_dir / "HEAD", self.git_dir / "config")

    def destroy(self) -> None:
        """Remove everything that belongs to the push; repeatable."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def receive(
        self, commands: PushCommands, pack: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Feed a push to git and yield git's answer as it comes.

        Args:
            commands: already judged; they are written anew for git.
            pack: the client's bytes behind them.

        Raises:
            Whatever the pack's iterator raises; git is dead by then.
        """
        settings = receive_settings(self._confinement.limits.pack_bytes)
        line = [*settings, "receive-pack", "--stateless-rpc", str(self.git_dir)]
        with (self.folder / "stderr").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *self._confinement.command(line),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without its pipes")
        feeding = asyncio.create_task(_feed(process.stdin, commands.encode(), pack))
        try:
            while answer := await process.stdout.read(_READ_BYTES):
                yield answer
            await feeding
            await process.wait()
        finally:
            feeding.cancel()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def last_words(self) -> str:
        """Return the end of what git wrote to its standard error, for the log."""
        with contextlib.suppress(OSError):
            return (self.folder / "stderr").read_bytes()[-_STDERR_BYTES:].decode("utf-8", "replace")
        return ""

    def reader(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a git command that reads this repository.

        Args:
            arguments: fixed by us; the only variable word allowed in it is an object id.
        """
        line = [f"--git-dir={self.git_dir}", "-c", "core.hooksPath=/dev/null", *arguments]
        return subprocess.Popen(
            self._confinement.command(line),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
        )

    def pack_path(self) -> Path:
        """Return the one pack that the push left.

        Raises:
            GitFailed: there is none, or more than one.
        """
        packs = list((self.git_dir / "objects/pack").glob("*.pack"))
        if len(packs) != 1:
            raise GitFailed(f"The push left {len(packs)} packs, not one.", "Push again.")
        return packs[0]


class BundleStream:
    """The bundle of a push, to be read once; afterwards it knows what the pack was.

    Args:
        pack: the pack that git accepted for these refs.
        updates: the refs pushed.
        head_commit: what a clone checks out; None when nothing leads.
    """

    def __init__(self, pack: Path, updates: Sequence[RefUpdate], head_commit: str | None) -> None:
        self._pack = pack
        self.refs = {update.ref: update.new for update in updates}
        self.head_commit = head_commit
        self.summary: PackSummary | None = None

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the bundle; a chunk is valid until the next is asked for.

        Raises:
            GitFailed: the file is no pack.
        """
        yield bundle_header(self.refs, self.head_commit)
        digest, size, objects = hashlib.sha256(), 0, 0
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        descriptor = os.open(self._pack, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                if size == 0:
                    objects = _object_count(bytes(buffer[:12]))
                digest.update(buffer[:count])
                size += count
                yield buffer[:count]
        self.summary = PackSummary(objects, size, Sha256Hex(digest.hexdigest()))


def bundle_header(refs: Mapping[str, str], head_commit: str | None) -> bytes:
    """Return what stands in front of the pack: format, HEAD for the clone, and the refs."""
    lines = [f"{head_commit} HEAD"] if head_commit else []
    lines += [f"{refs[ref]} {ref}" for ref in sorted(refs)]
    return ("# v2 git bundle\n" + "".join(f"{line}\n" for line in lines) + "\n").encode()


def _object_count(head: bytes) -> int:
    """Return the number of objects that a pack's first 12 bytes state (gitformat-pack(5))."""
    if len(head) < 12 or head[:4] != b"PACK":
        raise GitFailed("The file that git kept is no pack.", "Push again.")
    return int.from_bytes(head[8:12], "big")


async def _feed(pipe: asyncio.StreamWriter, commands: bytes, pack: AsyncIterator[bytes]) -> None:
    """Write a push to git; when git has stopped listening, the client may still finish."""
    listening = True
    try:
        pipe.write(commands)
        async for chunk in pack:
            if not listening:
                continue
            pipe.write(chunk)
            try:
                await pipe.drain()
            except (BrokenPipeError, ConnectionResetError):
                listening = False
    finally:
        # Git ends at the end of its input, whether the client finished or died.
        pipe.close()
