"""The folder that a beneficiary fetches into: nothing that the service names leaves it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty

import pytest

from escrow.operations.cli.package import (
    DigestMalformed,
    NoSuchDeposit,
    Package,
    PathLeavesFolder,
)
from escrow.vault import age


def deposit(number: int, path: str = "p/deposit-1/parts/source/s", of: str = "dep_1"):
    file = {"id": "prt_1", "path": f"{path}.age", "opened_path": path, "sha256": "0" * 64}
    file |= {"age_size_bytes": 1, "encoding": "identity", "media": "tar", "original": "source/s"}
    shown = {"deposit_id": of, "number": number, "sealed_at": "2026", "verdict": "pass"}
    shown["product"] = path.partition("/")[0]
    return shown | {"files": [file], "images": []}


def package(tmp_path, *deposits) -> Package:
    index = {"deposits": list(deposits), "last_verified": ["dep_1"], "certificate": None}
    return Package(index | {"request_id": "req_1", "agreement_id": "agr_1", "bundle": []}, tmp_path)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\\x", "a\nb", "a;b", "$(x)"])
def test_a_path_that_leaves_the_folder(tmp_path, path) -> None:
    one = package(tmp_path / "release", deposit(1, path))
    (chosen,) = one.choose(1, everything=False)
    with pytest.raises(PathLeavesFolder):
        one.fetch("req_1", chosen["files"][0])
    with pytest.raises(PathLeavesFolder):
        one.write_papers([chosen])
    assert list(tmp_path.iterdir()) == []


def test_deposits_of_two_products_with_one_number(tmp_path) -> None:
    two = deposit(1, "q/deposit-1/parts/source/s", "dep_2")
    one = package(tmp_path, deposit(1), two)
    assert len(one.choose(1, everything=False)) == 2
    assert [each["deposit_id"] for each in one.choose(None, everything=False)] == ["dep_1"]


def test_a_number_that_no_deposit_has(tmp_path) -> None:
    with pytest.raises(NoSuchDeposit):
        package(tmp_path, deposit(1)).choose(7, everything=False)


def with_image(path: str = "images/python.tar.zst", sha256: str = "1" * 64):
    image = {"path": path, "opened_path": path.removesuffix(".zst"), "sha256": sha256}
    image |= {"archive_sha256": "2" * 64, "archive_size_bytes": 3, "name": "python"}
    return deposit(1) | {"images": [image]}


def test_an_image_of_two_deposits_is_opened_once_and_covered(tmp_path) -> None:
    two = [with_image(), with_image() | {"number": 2}]
    package(tmp_path, *two).write_papers(two)
    sums = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert sums.count(f"{'1' * 64}  opened/images/python.tar") == 1
    opened = [one for one in (tmp_path / "open.sh").read_text().splitlines() if "images/" in one]
    assert opened == ["zstd -d -q -f ./images/python.tar.zst -o opened/images/python.tar"]
    assert (tmp_path / "rebuild.sh").read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("path", ["../x.zst", "/etc/x.zst", "images/$(x).zst", "images/a b.zst"])
def test_an_image_that_leaves_the_folder(tmp_path, path) -> None:
    with pytest.raises(PathLeavesFolder):
        package(tmp_path / "release").write_papers([with_image(path)])
    assert list(tmp_path.iterdir()) == []


def test_a_digest_that_is_none(tmp_path) -> None:
    with pytest.raises(DigestMalformed):
        package(tmp_path / "release").write_papers([with_image(sha256="0  /etc/passwd\nx")])
    assert list(tmp_path.iterdir()) == []


PASSPHRASE = "correct horse"


def sealed_package(folder, identity) -> list[dict]:
    """Write the papers of a package with two age files that an identity opens."""
    folder.mkdir(parents=True)
    files = []
    for name in ("one", "two"):
        (folder / f"{name}.age").write_bytes(age.encrypt_bytes(name.encode(), [identity.recipient]))
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        paths = {"path": f"{name}.age", "opened_path": name, "sha256": sha256}
        files.append(paths | {"encoding": "identity", "original": name, "media": "file"})
    chosen = [deposit(1) | {"files": files}]
    package(folder, *chosen).write_papers(chosen)
    return chosen


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "protected"])
def test_stock_age_asks_once_for_the_passphrase(tmp_path, passphrase) -> None:
    identity = age.new_x25519_identity()
    sealed_package(tmp_path / "release", identity)
    key = tmp_path / "my key.age"
    age.write_identity_file(key, identity, age.Passphrase(passphrase) if passphrase else None)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("sh", ["sh", str(tmp_path / "release" / "open.sh"), str(key)])
    said = answered(terminal, passphrase)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    assert said.count("passphrase") == (1 if passphrase else 0)
    assert (tmp_path / "release" / "opened" / "two").read_bytes() == b"two"


def answered(terminal: int, passphrase: str | None) -> str:
    """Return what was said on a terminal, the passphrase given at the first question."""
    said, given = "", False
    # Linux ends a terminal that nobody writes to any more with an error.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 1024):
            said += piece.decode()
            if passphrase and not given and "passphrase" in said:
                os.write(terminal, f"{passphrase}\n".encode())
                given = True
    os.close(terminal)
    return said
