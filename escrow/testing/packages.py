"""A released package as its beneficiary has it once ``open.sh`` has run, made without a release.

The parts, documents and images are those that a release hands over; what is left out is only their
way through age, which other trials go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import zstandard

from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import DepositId
from escrow.testing.verification import VerificationWorld
from escrow.vault import records as vault
from escrow.verification.kits import part_path
from escrow.verification.records import images_of_kits

DEPOSIT = "opened/ledger/deposit-1"

# A shell that finds these alone finds what a beneficiary's empty machine has.
STOCK = ("docker", "tar")


def opened_package(
    world: VerificationWorld, deposit_id: DepositId, parts: Mapping[str, bytes], folder: Path
) -> Path:
    """Lay an opened package out and return its folder.

    Args:
        parts: content by kind and name.
    """
    deposit = folder / DEPOSIT
    for label, content in parts.items():
        kind, _, name = label.partition("/")
        _write(deposit / part_path(kind, name), content)
    for kind, content in world.documents(deposit_id).items():
        _write(deposit / "documents" / f"{kind}-00000001", content)
    with world.database.reading() as session:
        documents = [one.id for one in vault.documents_of(session, deposit_id)]
        images = images_of_kits(session, documents)
    for image in images:
        tar = folder / "opened" / image.file.removesuffix(".zst")
        tar.parent.mkdir(exist_ok=True)
        with world.blobs.open(Sha256Hex(image.archive_sha256)) as source, tar.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    script = resources.files("escrow.operations.cli") / "rebuild.sh"
    _write(folder / "rebuild.sh", script.read_bytes())
    return folder


def stock_path(folder: Path, programs: tuple[str, ...] = STOCK) -> str:
    """Return a PATH with these programs and no other."""
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        if found is None:
            raise FileNotFoundError(program)
        (folder / program).symlink_to(found)
    return str(folder)


def rebuild(
    package: Path, path: str, *arguments: str, shell: str = "/bin/sh"
) -> subprocess.CompletedProcess[str]:
    """Run ``rebuild.sh`` with a PATH and nothing else of this process's environment."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    return subprocess.run(
        [shell, str(package / "rebuild.sh"), *arguments],
        env={"PATH": path, "HOME": str(package), **kept},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
