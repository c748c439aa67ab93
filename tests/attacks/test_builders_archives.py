"""Archives made to leave their folder, to swell, or to break the inspector. Named by the attack."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib

import pytest

from builders.errors import InspectionInvalid
from builders.inspection import frames, parse_inspection
from builders.inspector.__main__ import run
from builders.inspector.frames import Frames
from builders.inventory import inventory_findings
from builders.orders import PartInput

ROOM_BYTES = 256 << 20


@pytest.fixture
def attack(tmp_path):
    """Inspect one source part below tmp_path/ws and return (codes found, the folder)."""

    def inspect(data, media="tar", room_bytes=ROOM_BYTES, kind="source"):
        part = PartInput("source", kind, media, [data], len(data))
        order = {"mode": "inspect", "room_bytes": room_bytes}
        received = Frames(io.BytesIO(b"".join(frames(order, [part]))))
        document = run(received.next_json(), received, str(tmp_path / "ws").encode())
        seen = parse_inspection(json.dumps(document).encode())
        return {finding.code for finding in inventory_findings(seen)}, tmp_path / "ws" / "src"

    return inspect


def tar_of(*members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, kind, value in (*members, ("good.c", tarfile.REGTYPE, b"int x;")):
            member = tarfile.TarInfo(name)
            member.type, member.mtime = kind, 1_700_000_000
            if kind == tarfile.REGTYPE:
                member.size = len(value)
                tar.addfile(member, io.BytesIO(value))
            else:
                member.linkname = value.decode()
                tar.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-absolute", "./../evil"])
def test_tar_slip(attack, tmp_path, name):
    codes, source = attack(tar_of((name, tarfile.REGTYPE, b"x")))
    assert "E-UNPACK-UNSAFE-NAME" in codes
    assert (source / "good.c").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_write_through_a_link(attack, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = ("door", tarfile.SYMTYPE, str(outside).encode())
    codes, _ = attack(tar_of(link, ("door/evil", tarfile.REGTYPE, b"x")))
    assert {"E-UNPACK-UNSAFE-NAME", "E-INVENTORY-LINK-OUTSIDE"} <= codes
    assert not list(outside.iterdir())


def test_write_through_a_relative_chain_of_links(attack, tmp_path):
    chain = [
        ("a", tarfile.SYMTYPE, b"."),
        ("a/b", tarfile.SYMTYPE, b".."),
        ("a/b/evil", tarfile.REGTYPE, b"x"),
    ]
    attack(tar_of(*chain))
    assert not list(tmp_path.rglob("evil"))


def test_overwrite_through_a_link_to_a_file(attack, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("safe")
    link = ("f", tarfile.SYMTYPE, str(victim).encode())
    codes, source = attack(tar_of(link, ("f", tarfile.REGTYPE, b"evil")))
    assert victim.read_text() == "safe"
    assert (source / "f").read_text() == "evil"
    assert "E-UNPACK-DUPLICATE" in codes


@pytest.mark.parametrize("target", [b"/etc/hostname", b"../../../etc/hostname"])
def test_hard_link_to_a_file_of_the_host(attack, target):
    codes, source = attack(tar_of(("stolen", tarfile.LNKTYPE, target)))
    assert "E-UNPACK-UNSAFE-NAME" in codes
    assert not (source / "stolen").exists()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_special_files(attack, kind):
    codes, source = attack(tar_of(("device", kind, b"")))
    assert "E-UNPACK-SPECIAL-FILE" in codes
    assert not (source / "device").exists()


def test_setuid_bit_is_dropped(attack):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("sh", "b"):
            member = tarfile.TarInfo(name)
            member.mode = 0o6755
            tar.addfile(member)
    _, source = attack(packed.getvalue())
    assert (source / "sh").stat().st_mode & 0o7777 == 0o755


def test_file_takes_the_place_of_a_folder(attack):
    codes, source = attack(tar_of(("d/x", tarfile.REGTYPE, b"1"), ("d", tarfile.REGTYPE, b"2")))
    assert "E-UNPACK-UNSAFE-NAME" in codes
    assert (source / "d/x").read_bytes() == b"1"


def test_compression_bomb(attack):
    bomb = gzip.compress(tar_of(("zeros", tarfile.REGTYPE, bytes(150 << 20))), 9)
    codes, _ = attack(bomb)
    assert "E-UNPACK-BOMB" in codes


def test_deposit_larger_than_the_workspace_is_not_called_a_failure(attack):
    codes, _ = attack(tar_of(("big", tarfile.REGTYPE, bytes(2 << 20))), room_bytes=1 << 20)
    assert "E-UNPACK-TOO-LARGE" in codes
    assert not any(code in codes for code in ("E-UNPACK-BOMB", "E-UNPACK-UNREADABLE"))


def test_overlapping_zip_members(attack):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "x" * 100)
        archive.writestr("b", "x" * 100)
    data = bytearray(packed.getvalue())
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # both point to the first
    codes, _ = attack(bytes(data), media="zip")
    assert codes & {"E-UNPACK-BOMB", "E-UNPACK-UNREADABLE"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_zip_slip(attack, tmp_path, name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
        archive.writestr("good", "x")
    codes, _ = attack(packed.getvalue(), media="zip")
    assert "E-UNPACK-UNSAFE-NAME" in codes
    assert not list(tmp_path.rglob("evil"))


def test_encrypted_zip(attack):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", "x")
    data = bytearray(packed.getvalue())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    codes, _ = attack(bytes(data), media="zip")
    assert "E-INVENTORY-ENCRYPTED-PART" in codes


@pytest.mark.parametrize("keep", [100, 512, 700, 1024])
def test_truncated_tar(attack, keep):
    codes, _ = attack(tar_of(("a", tarfile.REGTYPE, b"x" * 600))[:keep])
    assert "E-UNPACK-UNREADABLE" in codes


def test_truncated_tar_inside_whole_gzip(attack):
    whole = tar_of(("a", tarfile.REGTYPE, b"x" * 600))
    codes, _ = attack(gzip.compress(whole[:-11_000] if len(whole) > 11_000 else whole[:1500]))
    assert "E-UNPACK-UNREADABLE" in codes


def test_data_behind_the_end_of_a_tar(attack):
    codes, _ = attack(tar_of() + b"hidden" * 200)
    assert "E-UNPACK-UNREADABLE" in codes


def test_gzip_with_a_wrong_checksum(attack):
    data = bytearray(gzip.compress(tar_of()))
    data[-6] ^= 0xFF
    codes, _ = attack(bytes(data))
    assert "E-UNPACK-UNREADABLE" in codes


@pytest.mark.parametrize(
    "data", [b"", b"not an archive", b"PK\x03\x04 broken", b"# v2 git bundle\nbroken"]
)
@pytest.mark.parametrize("media", ["tar", "zip", "git-bundle"])
def test_garbage_is_a_finding_never_a_crash(attack, data, media):
    codes, _ = attack(data, media=media)
    assert codes & {"E-UNPACK-UNREADABLE", "E-UNPACK-NO-SOURCE"}


def test_deeply_nested_json_and_toml(attack):
    deep = b"[" * 100_000
    members = [
        (name, tarfile.REGTYPE, deep) for name in ("package.json", "pyproject.toml", "escrow.toml")
    ]
    codes, _ = attack(tar_of(*members))
    assert "E-UNPACK-UNREADABLE" not in codes


def test_bomb_inside_a_file_stays_packed(attack):
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(60)) + packer.flush()
    codes, _ = attack(tar_of(("bomb.gz", tarfile.REGTYPE, bomb)))
    assert codes == {"E-INVENTORY-NO-DOCS"}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "escrow-inspection/1"}',
        b'{"format": "escrow-inspection/1", "parts": {}}',
        b"[" * 5000,
        b'{"a": NaN, "format": 1}',
    ],
)
def test_forged_document_is_refused(document):
    with pytest.raises(InspectionInvalid):
        parse_inspection(document)


def _document(**changed):
    part = {
        "name": "s",
        "kind": "source",
        "media": "tar",
        "files": 1,
        "total_bytes": 1,
        "place": "src",
    }
    whole = {
        "format": "escrow-inspection/1",
        "parts": [part],
        "entries": {"s": [["a", "100644", 1, "0" * 64, "0" * 40]]},
        "observations": [],
        "markers": [],
    }
    return json.dumps({**whole, **changed}).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"entries": {"other": []}},
        {"entries": {"s": [["a", "100666", 1, None, None]]}},
        {"entries": {"s": [["a", "100644", -1, None, None]]}},
        {"entries": {"s": [["a", "100644", True, None, None]]}},
        {"entries": {"s": [["a", "100644", 1, "xyz", None]]}},
        {"entries": {"s": [["a" * 100_000, "100644", 1, None, None]]}},
        {"observations": [{"kind": "<script>", "part": "s", "path": "", "facts": {}}]},
        {"observations": [{"kind": "x", "part": "s", "path": "", "facts": {"a": 1}}]},
        {"newest_mtime": "now"},
        {"markers": [{"path": 1, "parsed": {}}]},
        {"recipe": []},
    ],
)
def test_document_with_one_forged_field_is_refused(changed):
    assert parse_inspection(_document()).entries[0].path == "a"
    with pytest.raises(InspectionInvalid):
        parse_inspection(_document(**changed))
