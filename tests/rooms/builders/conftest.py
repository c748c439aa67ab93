"""Worlds of the builders: small trees, packed as deposits are, seen by the real inspector."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from builders.inspection import frames, parse_inspection
from builders.inspector.__main__ import run
from builders.inspector.frames import Frames
from builders.orders import PartInput

ROOM_BYTES = 64 << 20
NEWEST = 1_700_000_000


def pack(files):
    """Return a tar of ``{name: text or bytes}``."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), NEWEST
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def part(name, content, kind="source", media="tar", **more):
    """Return a part of these bytes."""
    return PartInput(name, kind, media, [content], len(content), **more)


@pytest.fixture
def make_part():
    return part


@pytest.fixture
def make_tar():
    return pack


@pytest.fixture
def inspect(tmp_path):
    """Return a function: parts → what the inspector says of them, unpacked below tmp_path/ws."""
    root = tmp_path / "ws"

    def inspect_parts(*parts, room_bytes=ROOM_BYTES):
        order = {"mode": "inspect", "room_bytes": room_bytes}
        received = Frames(io.BytesIO(b"".join(frames(order, parts))))
        document = run(received.next_json(), received, str(root).encode())
        return parse_inspection(json.dumps(document).encode())

    return inspect_parts


@pytest.fixture
def inspect_tree(inspect):
    """Return a function: files of a source tree → the inspection of it."""
    return lambda files: inspect(part("source", pack(files)))


@pytest.fixture
def workspace(tmp_path) -> Path:
    """Where the fixture ``inspect`` unpacks to."""
    return tmp_path / "ws"


@pytest.fixture
def kinds():
    """Return a function: the kinds of observations, documents left out."""
    return lambda seen: {each.kind for each in seen.observations} - {"document"}
