"""The folder that a beneficiary fetches into: nothing that the service names leaves it."""

from __future__ import annotations

import pytest

from escrow.operations.cli.package import NoSuchDeposit, Package, PathLeavesFolder


def deposit(number: int, path: str = "p/deposit-1/parts/source/s", of: str = "dep_1"):
    file = {"id": "prt_1", "path": f"{path}.age", "opened_path": path, "sha256": "0" * 64}
    file |= {"age_size_bytes": 1, "encoding": "identity", "media": "tar", "original": "source/s"}
    shown = {"deposit_id": of, "number": number, "sealed_at": "2026", "verdict": "pass"}
    shown["product"] = path.partition("/")[0]
    return shown | {"files": [file]}


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
