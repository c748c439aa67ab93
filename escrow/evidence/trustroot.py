"""The trust root: the public keys by which everything of this service is believed.

It is given out of band when a party accepts an agreement; both sides print the fingerprint and
compare it. Guarantees: whatever is read here names each key once and for one purpose only.
It does not say that the keys are the right ones: that is what the fingerprint is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from escrow.evidence.anchors import NO_ANCHORS, Anchors, anchors_of
from escrow.evidence.errors import TrustRootMalformed
from escrow.ground.digests import Sha256Hex, canonical_json, once_each, sha256_hex
from escrow.ground.errors import InvalidInput
from escrow.ground.settings import Environment
from escrow.ground.signatures import PublicKey
from escrow.ledger.events import NAME_MARK, ROLES, is_signatory, role_behind
from escrow.ledger.verifying import TrustedLogKeys

TRUST_ROOT_FORMAT = "escrow-trust-root/1"
# One that names several workers, and only such a one: a reader who knows version 1 alone shall not
# pass over a key that he does not know of, and every other trust root keeps its digest.
TRUST_ROOT_FORMAT_2 = "escrow-trust-root/2"

FIRST_WORKER = "worker"

PRODUCTION = "production"
ENVIRONMENTS: frozenset[str] = frozenset(get_args(Environment))

# Six keys, a name, some witnesses and certificates; more is no trust root but an attempt.
MAX_TRUST_ROOT_CHARS = 256 * 1024

# Four digits are what a person reads aloud at a time.
_GROUP_DIGITS = 4


@dataclass(frozen=True)
class TrustRoot:
    """The keys of one installation.

    Args:
        service: the agency's name for it.
        environment: ``production``, ``demo`` or ``development``.
        log: signs checkpoints; its hash is the log's name.
        leaf: signs the leaves of the public log.
        roles: role name to the key that signs its events and statements; a further worker stands
            beside the role ``worker`` under a name of its own, ``worker/second``.
        anchors: who outside the service vouches for its history and its times.

    Raises:
        TrustRootMalformed: unknown environment or role, or one key for two purposes.
    """

    service: str
    environment: str
    log: PublicKey
    leaf: PublicKey
    roles: Mapping[str, PublicKey]
    anchors: Anchors = NO_ANCHORS

    def __post_init__(self) -> None:
        keys = [self.log.raw, self.leaf.raw, *(key.raw for key in self.roles.values())]
        keys += [one.key.raw for one in self.anchors.witnesses]
        if self.environment not in ENVIRONMENTS:
            raise TrustRootMalformed(f"{self.environment[:40]!r} is no environment.")
        if not self.roles or not all(is_signatory(name) for name in self.roles):
            raise TrustRootMalformed(f"The roles must be of {', '.join(sorted(ROLES))}.")
        if len(set(keys)) != len(keys):
            # A key that signs in two roles lets one role's signature pass for the other's.
            raise TrustRootMalformed("One key stands in the trust root for two purposes.")

    @property
    def ledger_keys(self) -> TrustedLogKeys:
        """The keys under which the ledger is believed."""
        return TrustedLogKeys(self.log, self.leaf, self.roles)

    @property
    def workers(self) -> dict[str, PublicKey]:
        """The report key of each worker, by its name; ``worker`` is the first."""
        return {name: key for name, key in self.roles.items() if role_behind(name) == FIRST_WORKER}

    def role_of(self, key_id: str) -> str | None:
        """Return the role that a key of this id signs in, None when it signs in none."""
        found = (name for name, key in self.roles.items() if key.key_id == key_id)
        return next((role_behind(name) for name in found), None)

    def is_grown_from(self, older: TrustRoot) -> bool:
        """Return whether this is the older one with nothing but more workers in it."""
        roles = {name: key for name, key in self.roles.items() if name in older.roles}
        added = self.roles.keys() - older.roles.keys()
        return replace(self, roles=roles) == older and all(NAME_MARK in name for name in added)

    def sha256(self) -> Sha256Hex:
        """Return the digest of the canonical form; what agents vouch for."""
        return sha256_hex(canonical_json(self._value()))

    def fingerprint(self) -> str:
        """Return SHA-256 of the canonical form as 16 groups of four hex digits."""
        digest = self.sha256()
        groups = range(0, len(digest), _GROUP_DIGITS)
        return " ".join(digest[start : start + _GROUP_DIGITS] for start in groups)

    def to_json(self) -> str:
        """Return the text of the trust root file."""
        return json.dumps(self._value(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TrustRoot:
        """Return the trust root that a file's text is.

        Raises:
            TrustRootMalformed: another format, or not what a trust root may be.
        """
        if len(text) > MAX_TRUST_ROOT_CHARS:
            raise TrustRootMalformed("The file is too long for a trust root.")
        try:
            value = json.loads(text, object_pairs_hook=once_each)
            keys = value["keys"]
            if value["format"] != _format_of(keys["roles"]) or not isinstance(
                value["service"], str
            ):
                raise ValueError("format")
            # JSON can name halves of a character: of those there is no digest to vouch for.
            value["service"].encode()
            return cls(
                service=value["service"],
                environment=str(value["environment"]),
                log=PublicKey.parse(keys["log"]),
                leaf=PublicKey.parse(keys["leaf"]),
                roles={role: PublicKey.parse(key) for role, key in keys["roles"].items()},
                anchors=anchors_of(value),
            )
        except TrustRootMalformed:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidInput):
            raise TrustRootMalformed(
                f"This is no trust root of the form {TRUST_ROOT_FORMAT}."
            ) from None

    def _value(self) -> dict[str, object]:
        return {
            "format": _format_of(self.roles),
            "service": self.service,
            "environment": self.environment,
            "keys": {
                "log": str(self.log),
                "leaf": str(self.leaf),
                "roles": {role: str(self.roles[role]) for role in sorted(self.roles)},
            },
            # Nothing where there are none: the form, and so the fingerprint, is as it was.
            **self.anchors.to_json(),
        }


def _format_of(names: Iterable[str]) -> str:
    """Return the one format that a trust root with these signatories is written in."""
    is_first = all(NAME_MARK not in name for name in names)
    return TRUST_ROOT_FORMAT if is_first else TRUST_ROOT_FORMAT_2
