"""From what a person names to one file that can be sent: a bundle, a tar, or the file itself."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.errors import InvalidInput
from escrow.operations.cli.output import complaints

_ARCHIVES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar.gz",
    ".tar.gz": "tar.gz",
    ".tar.xz": "tar.xz",
    ".tar.bz2": "tar.bz2",
    ".tar.zst": "tar.zst",
    ".bundle": "git-bundle",
}


class BadMaterial(InvalidInput):
    """What was named cannot be sent as it is."""

    code = "cli.bad-material"


@dataclass(frozen=True)
class Material:
    """One part, as a file on this machine."""

    kind: str
    name: str
    media: str
    path: Path


@contextmanager
def material_of(kind: str, path: Path) -> Iterator[Material]:
    """Give the part that a path names, packed in a temporary file where it is a folder.

    Raises:
        BadMaterial: no such file, an empty repository, or git refuses.
    """
    if path.is_file():
        yield Material(kind, path.name, _media(path), path)
        return
    if not path.is_dir():
        raise BadMaterial(f"{path} is neither a file nor a folder.", "Check the path.")
    name = path.resolve().name or kind
    with tempfile.TemporaryDirectory(prefix="escrow-deposit-") as folder:
        packed = Path(folder) / "part"
        if kind == "source" and (path / ".git").exists():
            _bundle(path, packed)
            yield Material(kind, name, "git-bundle", packed)
        else:
            _pack(path, packed)
            yield Material(kind, name, "tar", packed)


def _media(path: Path) -> str:
    for ending, media in sorted(_ARCHIVES.items(), key=lambda item: -len(item[0])):
        if path.name.lower().endswith(ending):
            return media
    return "file"


def _bundle(repository: Path, target: Path) -> None:
    """Bundle every branch and tag of the person's own repository."""
    _warn_of_what_stays_behind(repository)
    command = ["git", "-C", str(repository), "bundle", "create", "--quiet", str(target)]
    command += ["HEAD", "--branches", "--tags"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BadMaterial(
            f"git cannot bundle {repository}: {done.stderr.strip()[:300]}",
            "Commit something first, or give a folder without .git.",
        )


def _warn_of_what_stays_behind(repository: Path) -> None:
    """Say so when the work tree holds what no commit holds: it is not part of the deposit."""
    import git

    try:
        with git.Repo(repository) as own:
            dirty = own.is_dirty(untracked_files=True)
    except (git.exc.GitError, ValueError, OSError):
        # What is wrong with the repository, the bundling says in git's own words.
        return
    if dirty:
        complaints.print(
            f"{repository} has changes that no commit holds; they are not part of the deposit.",
            markup=False,
        )


def _pack(folder: Path, target: Path) -> None:
    """Pack a folder as tar: names sorted, owners left out, so that the same files pack alike."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=plain)
