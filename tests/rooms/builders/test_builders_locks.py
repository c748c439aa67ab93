"""npm's lock files of each version, as the inspector reads them, hostile ones too."""

import json
import time

import pytest

from builders.inspector.bounds import LOCKED_MAX
from builders.inspector.manifests import parse_marker


def locked(value: object) -> list[list[str]]:
    parsed = parse_marker("package-lock.json", json.dumps(value).encode())
    rows: list[list[str]] = parsed["locked"]
    return rows


def test_a_lock_of_version_3_names_what_was_fetched_and_not_what_is_the_products_own() -> None:
    packages = {
        "": {"name": "app", "version": "1.0.0"},
        "packages/own": {"version": "0.1.0"},
        "node_modules/own": {"resolved": "packages/own", "link": True},
        "node_modules/a": {"version": "1.0.0", "integrity": "sha512-x"},
        "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
        "node_modules/alias": {"name": "real", "version": "3.0.0"},
    }
    assert locked({"lockfileVersion": 3, "packages": packages}) == [
        ["a", "1.0.0", "sha512-x"],
        ["@s/b", "2.0.0", ""],
        ["real", "3.0.0", ""],
    ]


def test_a_lock_of_version_1_names_what_lies_within_each_other() -> None:
    inner = {"b": {"version": "2.0.0", "integrity": "sha1-y"}}
    value = {
        "lockfileVersion": 1,
        "dependencies": {"a": {"version": "1.0.0", "dependencies": inner}},
    }
    assert locked(value) == [["a", "1.0.0", ""], ["b", "2.0.0", "sha1-y"]]


@pytest.mark.parametrize(
    "row",
    [
        None,
        3,
        [],
        "x",
        {},
        {"version": 1},
        {"version": "1" * 101},
        {"version": "1", "integrity": 2},
    ],
)
def test_a_row_that_is_none_is_left_out(row: object) -> None:
    good = {"version": "1.0.0"}
    packages = {"node_modules/x": row, "node_modules/" + "n" * 215: good, "node_modules/y": good}
    assert locked({"packages": packages}) == [["y", "1.0.0", ""]]


def test_more_rows_than_a_list_takes_are_cut_and_said_to_be() -> None:
    packages = {f"node_modules/p{n}": {"version": "1.0.0"} for n in range(LOCKED_MAX + 1)}
    parsed = parse_marker("package-lock.json", json.dumps({"packages": packages}).encode())
    assert (len(parsed["locked"]), parsed["locked_cut"]) == (LOCKED_MAX, True)
    assert parsed["packages"] == LOCKED_MAX + 1


def test_a_lock_that_nests_without_end_is_a_problem_and_soon() -> None:
    text = '{"dependencies":{"a":' * 400 + "1" + "}}" * 400
    begun = time.monotonic()
    assert parse_marker("package-lock.json", text.encode())
    text = '{"dependencies":{"a":' * 50_000 + "1" + "}}" * 50_000
    assert "problem" in parse_marker("package-lock.json", text.encode())
    assert time.monotonic() - begun < 5
