"""A keyholder that outlives its killed service by a moment, while its successor starts."""

from __future__ import annotations

from pathlib import Path

from escrow.operations.calls.unix import UnixServer
from escrow.operations.keyholder.wire import keyholder_desk


def test_a_dying_keyholder_leaves_its_successors_socket(tmp_path: Path) -> None:
    path, nothing = tmp_path / "keyholder.sock", keyholder_desk({})
    old, new = UnixServer(path, nothing, frozenset()), UnixServer(path, nothing, frozenset())
    old.server_close()
    assert path.is_socket()
    new.server_close()
    assert not path.exists()
