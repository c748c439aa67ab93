"""Hostile texts: each is answered at once, with a sentence, never by an accident of Python."""

from __future__ import annotations

import time

import pytest

from agreements.bech32 import holds_checksum
from agreements.parsing import check_agreement
from agreements.positions import MAX_DEPTH, ScanStopped, index_positions

HOSTILE = {
    "deep list": "a = " + "[" * 100_000,
    "deep inline table": "a = " + "{b = " * 50_000,
    "deep dotted key": ".".join("a" * 100_000) + " = 1",
    "deep header, many keys": "[" + ".".join("a" * 100_000) + "]\n" + "b=1\n" * 50_000,
    "deep after nonsense": "a = !\n[" + ".".join("a" * 100_000) + "]\n" + "b=1\n" * 50_000,
    "endless number": "a = " + "9" * 100_000,
    "endless string": 'a = """' + "x" * 500_000,
    "many quotes": 'a = "' + '\\"' * 200_000,
    "many long quotes": 'a = """' + '""x' * 200_000,
    "many unknown keys": "".join(f"k{at} = 1\n" for at in range(50_000)),
    "many tables": "[[agents]]\n" * 60_000,
    "many words": "[disclosure]\nlog = [" + '"x",' * 200_000 + "]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_at_once(name):
    began = time.monotonic()
    problems = check_agreement(HOSTILE[name])
    assert any(one.severity == "error" for one in problems)
    assert time.monotonic() - began < 5


def test_nesting_beyond_the_bound_names_its_line():
    (problem,) = check_agreement('title = "x"\na = ' + "[" * (MAX_DEPTH + 1))
    assert (problem.code, problem.line) == ("agreement.too-deep", 2)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a =",
        "= 1",
        "[a",
        "[[a]",
        "a = [1",
        "a = {b = 1",
        'a = "',
        "a = 'x\n",
        "a = 1 2 = 3\"'",
        'a."\\q" = 1',
        "a = 1]",
        "\x00",
    ],
)
def test_a_text_that_is_no_toml_stops_the_scan_or_toml_itself(text):
    (problem,) = check_agreement(text)
    assert (problem.code, problem.line) == ("agreement.syntax", 1)


def test_positions_follow_lists_of_tables_and_dotted_keys():
    text = '[[a]]\nx.y = 1\n[[a.b]]\n[[a]]\n[a."q\\u0041 r"]\nk = [\n 1,\n {z = 2},\n]\n'
    found = index_positions(text)
    assert found[("a", 0, "x", "y")] == 2
    assert found[("a", 0, "b", 0)] == 3
    assert found[("a", 1)] == 4
    assert found[("a", 1, "qA r", "k", 1, "z")] == 8


def test_quotes_before_the_end_of_a_long_text_belong_to_it():
    assert index_positions('a = """x"""""\nb = \'\'\'y\'\'\'\'\'\nc = ""\n')[("c",)] == 3


def test_the_scan_says_where_it_stopped():
    with pytest.raises(ScanStopped) as raised:
        index_positions("a = 1\nb ! 2")
    assert raised.value.offset == 8


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        # BIP 173, "Test vectors", without the upper-case ones.
        ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", True),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", True),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3x", False),
        ("1nwldj5", False),
        ("abc", False),
        ("age1b", False),
        ("age1bbbbbbb", False),
    ],
)
def test_checksums_of_keys(text, holds):
    assert holds_checksum(text) is holds
