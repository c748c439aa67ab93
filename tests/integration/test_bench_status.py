"""The measurement of the status query runs, against the real application and a real peer."""

from pathlib import Path

from bench.status import measure


def test_the_status_query_is_measured_against_its_peer(tmp_path: Path) -> None:
    figures = measure(tmp_path, events=500, rounds=1, seconds=0.3)
    assert len(figures) == 3
    for what, measured, _ in figures:
        assert "500 events" in what
        ours, _, theirs = measured.partition("(")[2].partition(" per s")[0].partition(" / ")
        assert int(ours) > 0
        assert int(theirs) > 0
