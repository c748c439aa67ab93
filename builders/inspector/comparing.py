"""Compare what a rebuild left with what the trial build left, by digest, and hand it out.

Nothing is normalised: a file is identical when its bytes are, and different otherwise.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from builders.inspector.collecting import Collector, open_plain
from builders.inspector.kits import shown_text
from builders.inspector.notes import text_path

# A kit lists at most this many results of a component in full on a terminal; the rest is counted.
SHOWN_MAX = 200


def collected(root: bytes, component: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the results of a component by path, looked for as the trial build did."""
    name, directory = component["name"], component["directory"]
    folders = [f"src/{directory}".rstrip("/"), f"build/{name}"]
    document = Collector(root).collect(f"out/{name}", folders, component["patterns"])
    return {row["path"]: row for row in document["artifacts"]}


def comparison(
    component: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield a word and a line about each result: identical, different, missing, additional."""
    expected = {row["path"]: row for row in component["artifacts"]}
    for path in sorted({*expected, *found}):
        then, now = expected.get(path), found.get(path)
        if then is None and now is not None:
            yield "additional", f"{shown_text(path)}  ({now['size_bytes']} bytes)"
        elif then is not None and now is None:
            yield "missing", f"{shown_text(path)}  ({then['sizeBytes']} bytes then)"
        elif then is not None and now is not None:
            yield _compared(path, then, now)


def _compared(path: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    if then["sha256"] == now["sha256"]:
        return "identical", f"{shown_text(path)}  ({now['size_bytes']} bytes, {now['sha256']})"
    return "different", (
        f"{shown_text(path)}  (then {then['sizeBytes']} bytes, {then['sha256']}; "
        f"now {now['size_bytes']} bytes, {now['sha256']})"
    )


def write_results(root: bytes, found: Mapping[str, object], folder: str, stream: BinaryIO) -> None:
    """Write the results as a tar of plain files, which can be unpacked anywhere.

    Args:
        folder: stands before every path.
    """
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in found:
            name = text_path(path)
            with open(os.path.join(root, name), "rb", opener=open_plain) as file:
                status = os.fstat(file.fileno())
                member = tarfile.TarInfo(f"{folder}/{os.fsdecode(name)}")
                member.size, member.mtime = status.st_size, int(status.st_mtime)
                # Runnable stays runnable; no other right of a build leaves the sandbox.
                member.mode = 0o755 if status.st_mode & 0o100 else 0o644
                tar.addfile(member, file)
