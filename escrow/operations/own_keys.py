"""The keys that portal and worker make for themselves, at their own first start.

None of them opens a stored deposit, and neither process ever sees the other's.
"""

from __future__ import annotations

from dataclasses import dataclass

from escrow.ground.signatures import SigningKey
from escrow.operations.home import Home
from escrow.vault import age


@dataclass(frozen=True)
class WorkerKeys:
    """The report key, and the age identity that file keys of a verification are sealed to."""

    report: SigningKey
    identity: age.X25519Identity | age.HybridIdentity


def portal_key(home: Home) -> SigningKey:
    """Return the portal's receipt key, made on first use."""
    return _signing_key(home, "portal")


def worker_keys(home: Home) -> WorkerKeys:
    """Return the worker's keys, made on first use."""
    identity = home.service / "worker.age"
    if not identity.exists():
        age.write_identity_file(identity, age.new_hybrid_identity(), None)
    return WorkerKeys(_signing_key(home, "worker"), age.read_identity_file(identity, None))


def _signing_key(home: Home, name: str) -> SigningKey:
    path = home.service / f"{name}.pem"
    if not path.exists():
        SigningKey.generate().write(path, None)
    return SigningKey.read(path, None)
