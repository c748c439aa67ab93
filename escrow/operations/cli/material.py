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


# Of what is left behind in a work tree, as many names are told; the first says enough.
_NAMES_TOLD = 5


@dataclass(frozen=True)
class Seal:
    """For which agreement, and to which of its keys, a vendor sealed a file himself."""

    agreement: str
    epoch: int | None = None


@dataclass(frozen=True)
class Material:
    """One part, as a file on this machine."""

    kind: str
    name: str
    media: str
    path: Path
    seal: Seal | None = None


def check_material(kind: str, path: Path) -> None:
    """Return when a path can be sent, so far as that can be told without packing it.

    Raises:
        BadMaterial: no such file or folder, an empty one, or a repository that cannot be bundled.
    """
    if path.is_file():
        with path.open("rb"):
            return
    if not path.is_dir():
        raise BadMaterial(
            f"{path} is neither a file nor a folder.", "Check the path; nothing was sent."
        )
    if kind == "source" and _is_repository(path):
        _check_repository(path)
    elif not any(path.iterdir()):
        raise BadMaterial(f"{path} is an empty folder.", "Name the folder that holds the files.")


@contextmanager
def material_of(kind: str, path: Path) -> Iterator[Material]:
    """Give the part that a path names, packed in a temporary file where it is a folder.

    Raises:
        BadMaterial: no such file, an empty repository, or git refuses.
    """
    check_material(kind, path)
    if path.is_file():
        yield Material(kind, path.name, _media(path), path)
        return
    name = path.resolve().name or kind
    with tempfile.TemporaryDirectory(prefix="escrow-deposit-") as folder:
        packed = Path(folder) / "part"
        if kind == "source" and _is_repository(path):
            _bundle(path, packed)
            yield Material(kind, name, "git-bundle", packed)
        else:
            _pack(path, packed)
            yield Material(kind, name, "tar", packed)


def sealed_material(kind: str, path: Path, seal: Seal) -> Material:
    """Return the part that a file sealed with stock ``age`` is; its name is that before ``.age``.

    Raises:
        BadMaterial: no such file.
        NotClientSealed: the service would not take it, as far as it can be seen.
    """
    from escrow.vault.client_sealed import MAX_CLIENT_HEADER_BYTES, cut_client_header

    if not path.is_file():
        raise BadMaterial(
            f"{path} is no file.", "Pack the folder with tar, seal that with age, and send it."
        )
    with path.open("rb") as file:
        cut_client_header(file.read(MAX_CLIENT_HEADER_BYTES), path.stat().st_size)
    inner = path.with_suffix("") if path.suffix == ".age" else path
    return Material(kind, inner.name, _media(inner), path, seal)


def left_behind(path: Path) -> str | None:
    """Return a sentence about what lies in a work tree and does not travel in its bundle.

    Downloaded dependencies are often ignored by git, and submodules and LFS objects are no part of
    a bundle: what a build here finds would be missing there without a word.
    """
    if not path.is_dir() or not (path / ".git").exists():
        return None
    status = _git(path, "status", "--porcelain", "--ignored", "-z").stdout.split("\0")
    changed = [entry[3:] for entry in status if entry[2:3] == " "]
    tracked = _git(path, "ls-files", "--stage").stdout.splitlines()
    submodules = [line.partition("\t")[2] for line in tracked if line.startswith("160000")]
    names = [*submodules, *changed]
    if not names:
        return None
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return (
        f"Only what is committed is sent, so this stays behind: {', '.join(names[:_NAMES_TOLD])}"
        f"{more}. Where the build needs it, commit it (git add --force) and deposit again, or "
        "deposit the files themselves: 'tar --exclude=.git -cf ../source.tar .'."
    )


def _media(path: Path) -> str:
    for ending, media in sorted(_ARCHIVES.items(), key=lambda item: -len(item[0])):
        if path.name.lower().endswith(ending):
            return media
    return "file"


def _is_repository(path: Path) -> bool:
    is_bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
    return is_bare or (path / ".git").exists()


def _check_repository(path: Path) -> None:
    """Refuse what git would bundle into something that cannot be restored, or not at all."""
    if _git(path, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
        raise BadMaterial(
            f"{path} is a shallow clone: most of its history is not in it.",
            "Fetch the rest with 'git fetch --unshallow', then deposit again.",
        )
    if _git(path, "rev-list", "--all", "--max-count=1").stdout.strip() == "":
        raise BadMaterial(
            f"{path} is a git repository without a commit.",
            "Commit something first, or give a folder without .git.",
        )


def _bundle(repository: Path, target: Path) -> None:
    """Bundle every branch and tag of the person's own repository."""
    what: tuple[str, ...] = ("HEAD", "--branches", "--tags")
    if _git(repository, "rev-parse", "--quiet", "--verify", "HEAD", check=False).returncode:
        # Nothing is checked out (a branch without a commit); the other branches are there.
        what = what[1:]
    _git(repository, "bundle", "create", "--quiet", str(target), *what)


def _git(repository: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git in the person's own repository.

    Raises:
        BadMaterial: there is no git, or it refuses.
    """
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as problem:
        raise BadMaterial(
            "There is no git on this machine to bundle the repository with.",
            "Install git, or give an archive of the source.",
        ) from problem
    if check and done.returncode != 0:
        said = " ".join(done.stderr.split())[:300]
        raise BadMaterial(
            f"git cannot read {repository}: {said}",
            "Make 'git status' work there, or give a folder without .git.",
        )
    return done


def _pack(folder: Path, target: Path) -> None:
    """Pack a folder as tar: names sorted, owners left out, so that the same files pack alike."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        # Whole seconds are what most archives keep; fractions would need a header for each file.
        member.mtime = int(member.mtime)
        return member

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=plain)
