"""Shares of our deals and of npm's ``shamir-secret-sharing`` are one format, both ways.

Its layout is that of Vault and OpenBao too. Neither of their servers is to be had as a package
here, so they are not asked themselves.
"""

import itertools
import json
import random
from pathlib import Path

from escrow.vault.shares import combine, split
from tests.integration.vault.nodes import run_jobs

SECRETS = 60
QUORUMS = [(k, n) for n in range(3, 9) for k in range(2, n)]


def _quorums() -> list[tuple[bytes, int, int]]:
    chance = random.Random(6)
    some = itertools.islice(itertools.cycle(QUORUMS), SECRETS)
    return [(chance.randbytes(32), k, n) for k, n in some]


def test_npm_combines_what_we_split(tmp_path: Path) -> None:
    chance, jobs = random.Random(7), []
    for secret, k, n in _quorums():
        shares = chance.sample(split(secret, k, n), k)
        jobs.append({"shares": [share.hex() for share in shares]})
    combined = json.loads(run_jobs("shamir.mjs", tmp_path, jobs))
    assert combined == [secret.hex() for secret, _, _ in _quorums()]


def test_we_combine_what_npm_splits(tmp_path: Path) -> None:
    chance = random.Random(8)
    jobs = [{"secret": secret.hex(), "k": k, "n": n} for secret, k, n in _quorums()]
    dealt = json.loads(run_jobs("shamir.mjs", tmp_path, jobs))
    for (secret, k, n), texts in zip(_quorums(), dealt, strict=True):
        shares = [bytes.fromhex(text) for text in texts]
        assert len(shares) == n
        assert combine(chance.sample(shares, k)) == secret
        if k > 2:
            assert combine(shares[: k - 1]) != secret
