"""A real open-source project as a vendor would hold it: in git, with what its build needs."""

from __future__ import annotations

import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from demo.stage import PlayFailed, run

# Files of the project's own published source are trusted no more than any other download.
MAX_SOURCE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Project:
    """A git work tree with one commit.

    Args:
        title: name and version.
        folder: the work tree.
        files: how many files.
        size_bytes: their size.
        first_commit: id of the first commit.
    """

    title: str
    folder: Path
    files: int
    size_bytes: int
    first_commit: str

    def break_it(self) -> str:
        """Remove one run-time dependency from the deposit, commit, and return its name."""
        wheels = sorted((self.folder / "deps" / "pypi").glob("sqlparse-*.whl"))
        if not wheels:
            raise PlayFailed("the project brings no dependency that could be taken away")
        wheels[0].unlink()
        _commit(self.folder, "Tidy up")
        return wheels[0].name


def fetch_project(folder: Path, name: str) -> Project:
    """Download a project's source and its dependencies by name, and commit them to git.

    The dependencies go to ``deps/pypi``, the place where a trial build looks for them.
    """
    downloads, tree = folder / "downloads", folder / "tree"
    downloads.mkdir(parents=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q")
    run(*pip, "--no-deps", "--no-binary", name, "-d", str(downloads), name, cwd=folder)
    archive = next(downloads.glob("*.tar.gz"))
    _unpack(archive, tree)
    wheels = tree / "deps" / "pypi"
    wheels.mkdir(parents=True)
    # What runs it, and what builds it (the project's own [build-system] asks for these two).
    target = ("--only-binary", ":all:", "--python-version", "3.11", "-d", str(wheels))
    run(*pip, *target, name, "setuptools", "wheel", cwd=folder)
    for own in wheels.glob(f"{name.lower()}-*.whl"):
        own.unlink()
    (tree / ".gitattributes").write_text("* -text\n", encoding="utf-8")
    run("git", "init", "-q", "-b", "main", cwd=tree)
    _commit(tree, "Import the release")
    files = [path for path in tree.rglob("*") if path.is_file() and ".git/" not in str(path)]
    size = sum(path.stat().st_size for path in files)
    commit = run("git", "rev-parse", "HEAD", cwd=tree).strip()
    return Project(archive.name.removesuffix(".tar.gz"), tree, len(files), size, commit)


def _unpack(archive: Path, tree: Path) -> None:
    """Write the regular files of a source archive below the tree, its top folder left out."""
    written = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = Path(*Path(member.name).parts[1:])
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or ".." in inside.parts or inside.is_absolute():
                continue
            written += member.size
            if written > MAX_SOURCE_BYTES:
                raise PlayFailed(f"{archive.name} is larger than {MAX_SOURCE_BYTES} bytes")
            path = tree / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _commit(tree: Path, message: str) -> None:
    identity = ("-c", "user.name=Vendor", "-c", "user.email=vendor@acme.example")
    run("git", "add", "-A", "--force", ".", cwd=tree)
    run("git", *identity, "commit", "-q", "-m", message, cwd=tree)
