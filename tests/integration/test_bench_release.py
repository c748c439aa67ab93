"""The measurement of a release runs through, at the smallest size."""

from __future__ import annotations

import re

from bench import release


def test_it_prints_when_the_first_byte_came(capsys) -> None:
    assert release.main(["--mebibytes", "1"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"1 MiB: first byte \d+\.\d\d s after the last confirmation", told)
    assert re.search(r"then \d+ MiB/s; a plain file \d+ MiB/s", told)
