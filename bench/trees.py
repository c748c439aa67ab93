"""A source tree sealed as one part, against those who store trees: ``restic`` and ``borg``.

Every round begins with an empty repository and empty caches of theirs, made before the clock runs.
``tar`` feeds us and ``age`` alike. None of the others hashes what it stores as one whole, and none
but the last two syncs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.pairs import Figure, alternate, pipe, ratio, run
from escrow.vault.age import FileKey, new_x25519_identity
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer

# As many, and as large in the mean, as the files of a Linux kernel.
FILES = 78_000
_FILE_BYTES = 16_500
_FILES_PER_FOLDER = 100

# restic and borg take half a minute each.
TREE_ROUNDS = 5

PIPE_GOAL = 0.75
REPOSITORY_GOAL = 0.2

# What source looks like: the text files of this machine's Python, over and over.
_TEXT_SUFFIXES = (".py", ".pyi", ".h", ".txt", ".rst")

_SECRETS = {"RESTIC_PASSWORD": "bench", "BORG_PASSPHRASE": "bench"}


def texts() -> Iterator[bytes]:
    """Yield what source looks like, without end."""
    roots = {Path(os.__file__).parent, *(Path(path) for path in sys.path if "packages" in path)}
    while True:
        for root in sorted(roots):
            for path in root.rglob("*"):
                if path.suffix in _TEXT_SUFFIXES and path.is_file():
                    yield path.read_bytes()


def measure_tree(folder: Path, files: int, rounds: int) -> list[Figure]:
    """Return (what, measured, goal) for a tree of so many files."""
    tree, out = folder / "tree", folder / "tree.age"
    size_bytes = _plant(tree, files)
    recipient = new_x25519_identity().recipient
    tar = ["tar", "-C", tree, "-cf", "-", "."]
    own = {**_SECRETS, "BORG_BASE_DIR": str(folder / "borg-home")}
    own["RESTIC_CACHE_DIR"] = str(folder / "restic-cache")
    restic, borg = folder / "restic", folder / "borg"
    times = alternate(
        rounds,
        {
            "ours": lambda: _seal(tar, folder / "tree-store"),
            "pipe": lambda: pipe(tar, ["zstd", "-1", "-qc"], ["age", "-r", recipient], out=out),
            "restic": lambda: run("restic", "-q", "-r", restic, "backup", tree, **own),
            "borg": lambda: run(
                "borg", "--error", "create", "-C", "zstd,1", f"{borg}::one", tree, **own
            ),
        },
        lambda: _forget(folder),
        before={
            "ours": lambda: _warm(tree),
            "pipe": lambda: _warm(tree),
            "restic": lambda: _made(tree, "restic", "-q", "-r", restic, "init", **own),
            "borg": lambda: _made(tree, "borg", "--error", "init", "-e", "repokey", borg, **own),
        },
    )
    shutil.rmtree(tree)
    said = f"seal a tree ({files} files, {size_bytes / 1000**3:.2f} GB)"
    return [
        ratio(f"{said} / tar|zstd -1|age", times, "ours", "pipe", PIPE_GOAL),
        ratio(f"{said} / restic", times, "ours", "restic", REPOSITORY_GOAL),
        ratio(f"{said} / borg", times, "ours", "borg", REPOSITORY_GOAL),
    ]


def _seal(tar: list[object], store: Path) -> None:
    sealer = PayloadSealer(FileBlobStore(store).stage(), FileKey.generate())
    words = [str(one) for one in tar]
    with subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0) as process:
        if process.stdout is not None:
            sealer.write_from(process.stdout)  # type: ignore[arg-type]
    sealer.finish()


def _plant(tree: Path, files: int) -> int:
    """Write files of text, no two alike, so that nothing is stored once for two."""
    words, held, size_bytes = texts(), bytearray(), 0
    for number in range(files):
        # From a third of the mean to five thirds of it.
        wanted = _FILE_BYTES * (2 + number * 7 % 9) // 6
        while len(held) < wanted:
            held += next(words)
        path = tree / f"{number // _FILES_PER_FOLDER}" / f"{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        size_bytes += path.write_bytes(b"# %d\n" % number + held[:wanted])
        del held[:wanted]
    os.sync()
    return size_bytes


def _made(tree: Path, *command: object, **environment: str) -> None:
    """Make an empty repository, and the tree warm again."""
    run(*command, **environment)
    _warm(tree)


def _warm(tree: Path) -> None:
    """Read every file: borg drops what it has read from the page cache, and the next one pays."""
    for path in tree.rglob("*.py"):
        path.read_bytes()


def _forget(folder: Path) -> None:
    for name in ("tree-store", "restic", "restic-cache", "borg", "borg-home"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "tree.age").unlink(missing_ok=True)
