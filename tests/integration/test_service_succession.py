"""A keyholder that outlives its killed service by a moment, while its successor starts."""

from __future__ import annotations

from pathlib import Path

from escrow.operations.keyholder.wire import KeyholderServer


def test_a_dying_keyholder_leaves_its_successors_socket(tmp_path: Path) -> None:
    path = tmp_path / "keyholder.sock"
    with (
        KeyholderServer(path, {}, frozenset()) as old,
        KeyholderServer(path, {}, frozenset()) as new,
    ):
        old.remove_socket()
        assert path.is_socket()
        new.remove_socket()
        assert not path.exists()
