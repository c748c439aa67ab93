"""The folder that a beneficiary ends up with: age files, digests, and how to open them.

Everything in it is opened with stock ``age`` and ``zstd``; ``open.sh`` only types the commands.
What was opened is rebuilt with stock Docker and ``tar`` by ``rebuild.sh``, which is the same for
every package: what differs it reads from the recovery kit.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import string
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from escrow.ground.errors import InvalidInput, Tampered
from escrow.operations.cli import remote
from escrow.operations.cli.handed_over import check_handed_over
from escrow.operations.cli.output import complain

_PIECE_BYTES = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")

# What the service makes names of; anything else is no name of its making.
_SAFE = frozenset(string.ascii_letters + string.digits + "._-/")


class NoSuchDeposit(InvalidInput):
    """The release holds no deposit of that number."""

    code = "cli.no-such-deposit"


class FileCutShort(Tampered):
    """A file of the release ended before its announced size: its payload is damaged."""

    code = "cli.file-cut-short"


class PathLeavesFolder(Tampered):
    """The service names a file that would not lie in the package's folder."""

    code = "cli.path-leaves-folder"


class DigestMalformed(Tampered):
    """The service names as the digest of a file what is none."""

    code = "cli.digest-malformed"


def files_of(deposits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files of these deposits."""
    return [file for deposit in deposits for file in deposit["files"]]


def images_of(deposits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the images that a rebuild of these deposits needs, each once."""
    return list({one["path"]: one for each in deposits for one in each.get("images", ())}.values())


class Package:
    """A package on its way to a folder.

    Args:
        index: as the service lists it.
        folder: where it goes.
    """

    def __init__(self, index: dict[str, Any], folder: Path) -> None:
        self._index = index
        self._folder = folder

    def choose(self, number: int | None, *, everything: bool) -> list[dict[str, Any]]:
        """Return the deposits that are wanted; a number may name one of each product.

        Raises:
            NoSuchDeposit: there is none of this number, or none was verified.
        """
        deposits: list[dict[str, Any]] = self._index["deposits"]
        verified: list[str] = self._index["last_verified"]
        chosen = [
            one
            for one in deposits
            if everything
            or (one["deposit_id"] in verified if number is None else one["number"] == number)
        ]
        if not chosen:
            there_are = ", ".join(str(one["number"]) for one in deposits)
            raise NoSuchDeposit(
                "The release holds no such deposit, or none that was verified.",
                f"Name one with --deposit ({there_are}), or fetch --all.",
            )
        return chosen

    def fetch(self, request: str, file: dict[str, Any]) -> None:
        """Fetch one age file; one of the right size is there already.

        Raises:
            FileCutShort: it ended early.
        """
        where = f"/requests/{remote.id_path(request)}/files/{remote.id_path(file['id'])}"
        self._fetch(where, file["path"], int(file["age_size_bytes"]), file["original"])

    def check(self, file: dict[str, Any], digests: Mapping[str, str]) -> None:
        """Return when a fetched file is the one that the release's certificate names.

        Raises:
            FileNotCertified, HeaderMalformed: it is another.
        """
        check_handed_over(self._place(file["path"]), file["id"], digests)

    def fetch_image(self, request: str, image: dict[str, Any]) -> None:
        """Fetch the archive of one image; one of the right size is there already.

        Raises:
            FileCutShort: it ended early.
        """
        sha256 = remote.id_path(image["archive_sha256"])
        where = f"/requests/{remote.id_path(request)}/images/{sha256}"
        self._fetch(where, image["path"], int(image["archive_size_bytes"]), image["name"])

    def _fetch(self, where: str, place: str, wanted: int, shown: str) -> None:
        path, shown = self._place(place), _plain(shown)
        if path.exists() and path.stat().st_size == wanted:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".part")
        complain(f"fetching {shown} ({wanted} bytes)")
        self._stream(where, fresh)
        if fresh.stat().st_size != wanted:
            fresh.unlink()
            raise FileCutShort(
                f"{shown} ended early: what the service has stored is damaged.",
                "Tell the operator, who restores it from a replica; then fetch again.",
            )
        fresh.replace(path)

    def write_papers(self, deposits: Sequence[dict[str, Any]]) -> None:
        """Write index, certificate, digests, README and both scripts beside the files."""
        files, images = files_of(deposits), images_of(deposits)
        for one in (*files, *images):
            self._place(one["opened_path"])
        known = [one for one in (*files, *images) if one["sha256"] is not None]
        for one in known:
            _check_digest(one["sha256"])
        self._write("release.json", json.dumps(self._index, indent=1) + "\n")
        self._write("certificate.json", json.dumps(self._index["certificate"], indent=1) + "\n")
        opened = [f"{one['sha256']}  opened/{one['opened_path']}\n" for one in known]
        self._write("SHA256SUMS", "".join(opened))
        self._write("open.sh", _open_script(files, images), executable=True)
        script = resources.files("escrow.operations.cli") / "rebuild.sh"
        self._write("rebuild.sh", script.read_text(encoding="utf-8"), executable=True)
        self._write("README.txt", _readme(self._index, deposits))

    def _place(self, path: str) -> Path:
        """Return where a file goes; the service names it and must not choose another folder.

        Raises:
            PathLeavesFolder: it would lie outside.
        """
        inside = PurePosixPath(path)
        if inside.is_absolute() or not set(path) <= _SAFE or ".." in inside.parts:
            raise PathLeavesFolder(
                f"The service names a file {path[:80]!r}, which leaves the package's folder.",
                "Fetch nothing from it; tell the operator and the agents.",
            )
        return self._folder / inside

    def _write(self, name: str, text: str, *, executable: bool = False) -> None:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if executable else 0o644)

    def _stream(self, where: str, path: Path) -> None:
        import httpx

        with remote.connection() as client, client.stream("GET", where) as answer:
            if not answer.is_success:
                answer.read()
                remote.check_answer(answer)
            with path.open("wb") as target:
                try:
                    for piece in answer.iter_bytes(_PIECE_BYTES):
                        target.write(piece)
                except httpx.RemoteProtocolError:
                    # Cut off by the service on purpose; the size tells.
                    return
                os.fsync(target.fileno())


def _check_digest(sha256: str) -> None:
    if not _DIGEST.fullmatch(sha256):
        raise DigestMalformed(
            f"The service names {sha256[:80]!r} as the digest of a file.",
            "Fetch nothing from it; tell the operator and the agents.",
        )


def _plain(text: str) -> str:
    """Return a name that a vendor chose as one line that a terminal can be shown."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _open_script(files: Sequence[dict[str, Any]], images: Sequence[dict[str, Any]]) -> str:
    """Return the commands that open every file, for a POSIX shell with age and zstd."""
    lines = [
        "#!/bin/sh",
        "# Opens this package with stock age and zstd:  sh open.sh YOUR-AGE-IDENTITY-FILE",
        "set -eu",
        'identity=${1:?"usage: sh open.sh YOUR-AGE-IDENTITY-FILE"}',
        'here=$(cd "$(dirname "$0")" && pwd)',
        "# Its passphrase is asked for once; the key stays in this shell's memory.",
        'first=; IFS= read -r first <"$identity" || :',
        "case $first in",
        '  age-encryption.org/*|-----BEGIN*) key=$(age -d "$identity") ;;',
        '  *) key=$(cat "$identity") ;;',
        "esac",
        'unseal() { printf \'%s\\n\' "$key" | age -d -i - -o "$2" "$1"; }',
        'cd "$here"',
    ]
    for file in files:
        sealed, opened = (
            shlex.quote(f"./{file['path']}"),
            shlex.quote(f"opened/{file['opened_path']}"),
        )
        folder = shlex.quote(str(Path("opened", file["opened_path"]).parent))
        lines.append(f"mkdir -p {folder}")
        if file["encoding"] == "zstd":
            packed = shlex.quote(f"opened/{file['opened_path']}.zst")
            lines.append(f"unseal {sealed} {packed}")
            lines.append(f"zstd -d -q -f --rm {packed} -o {opened}")
        elif file["sha256"] is None:
            # What its vendor sealed may open to anything, or fail; the other files do not wait.
            lines.append(f"unseal {sealed} {opened} || echo {sealed} 'does not open' >&2")
        else:
            lines.append(f"unseal {sealed} {opened}")
    if images:
        lines.append("mkdir -p opened/images")
    for image in images:
        packed, opened = f"./{image['path']}", f"opened/{image['opened_path']}"
        lines.append(f"zstd -d -q -f {shlex.quote(packed)} -o {shlex.quote(opened)}")
    lines.append("sha256sum -c --quiet SHA256SUMS && echo 'everything is as it was deposited'")
    return "\n".join(lines) + "\n"


def _described(file: dict[str, Any]) -> str:
    media = _plain(file["media"])
    if file["sha256"] is not None:
        return media
    return f"{media}; client-sealed: received, not verifiable; no digest of it is known"


def _readme(index: dict[str, Any], deposits: Sequence[dict[str, Any]]) -> str:
    lines = [
        "A release of escrowed materials.",
        "",
        f"Request {index['request_id']} under agreement {index['agreement_id']}.",
        f"Frees: {', '.join(index['bundle'])}.",
        "",
        "1. Open everything with your age identity (stock age and zstd are all it takes):",
        "     sh open.sh YOUR-AGE-IDENTITY-FILE",
        "   Each file opens by itself, too:  age -d -i IDENTITY FILE.age | zstd -d > FILE",
        "   (zstd only where the name ends in .zst.age).",
        "2. open.sh compares every opened file with SHA256SUMS.",
        "3. certificate.json is the signed certificate of this release; with the trust root that",
        "   you were handed:  escrow check certificate.json --trust-root trust-root.json",
        "4. A git source is a bundle:  git clone opened/…/parts/source/NAME source",
        "5. Rebuild it as it was rebuilt when it was deposited, without network (Docker and tar",
        "   are all it takes; the images that built it are in images/):",
        "     sh rebuild.sh",
        "   It compares each result with that of the first build, byte for byte, and ends with 0",
        "   when all are identical, 1 when something differs, 2 when it could not be rebuilt. The",
        "   results lie in rebuilt/ then. What is run stands in the document kit-…. One of several",
        "   deposits:  sh rebuild.sh opened/PRODUCT/deposit-NUMBER",
        "",
    ]
    for deposit in deposits:
        name = f"{_plain(deposit['product'])}#{deposit['number']}"
        verdict = deposit["verdict"] or "none"
        lines.append(f"deposit {name}, sealed {deposit['sealed_at']}, verdict {verdict}")
        lines += [f"  {one['opened_path']}  ({_described(one)})" for one in deposit["files"]]
    return "\n".join(lines) + "\n"
