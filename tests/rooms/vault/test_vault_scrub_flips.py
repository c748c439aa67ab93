"""Ten thousand random bit flips in payloads and header records, and every one of them is found."""

import tempfile
from pathlib import Path

from escrow.vault.storage.records import PRIMARY, REPLICA
from tests.storage import StoredWorld

ON_SQLITE_ALONE = True

PAYLOADS, HEADER_FILES, ROUNDS = 1800, 200, 5


def test_ten_thousand_of_ten_thousand_flips_are_found_and_mended() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = StoredWorld(Path(folder))
        stored = [world.put(world.random.randbytes(1 + number % 300)) for number in range(PAYLOADS)]
        for number in range(HEADER_FILES):
            world.write_header(f"prt_{number}")
        world.replicator.round()
        exported = sorted((world.folder / "replica" / "header-records").rglob("*.json"))
        good = {path: path.read_bytes() for path in exported}
        found = flipped = 0
        for _ in range(ROUNDS):
            for digest in stored:
                # Both copies of a payload are never hit at once: that is another test's.
                world.flip(world.file(world.random.choice((PRIMARY, REPLICA)), digest))
            for path in exported:
                world.flip(path)
            flipped += len(stored) + len(exported)
            counts = world.scrub()
            assert counts is not None
            assert (counts.missing, counts.unrepairable) == (0, 0)
            assert counts.repaired == counts.corrupted
            found += counts.corrupted
        assert (found, flipped) == (10_000, 10_000)
        assert all(path.read_bytes() == content for path, content in good.items())
        for digest in stored:
            world.primary.blobs.check(digest)
            world.replica.blobs.check(digest)
        world.close()
