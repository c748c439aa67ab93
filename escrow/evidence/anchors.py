"""Who outside the service vouches for it: witnesses of its log, and authorities of time.

They stand in the trust root, so that whoever holds it knows whom to ask and whose word counts.
Guarantees: a quorum that its witnesses can reach, each key and each name once, certificates that
are certificates. That a witness is no party is for the parties to know when they accept.

The file that an operator writes (``ESCROW_ANCHORS``) has the same members as the trust root::

    {"witnesses": {"quorum": 2, "list": [{"name", "url", "key"}, …]},
     "timestamp_authorities": [{"name", "url", "certificates": [PEM, …]}, …]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from escrow.evidence.errors import TrustRootMalformed
from escrow.ground.certificates import read_certificate
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import PublicKey
from escrow.ledger.cosignatures import MAX_NAME_CHARS, Witness

# Each is asked before an agent signs; more than this would be a queue, not an assurance.
MAX_WITNESSES = 16
MAX_AUTHORITIES = 8

# A chain is two or three certificates of a few kilobytes.
MAX_CERTIFICATES = 4
MAX_PEM_CHARS = 16 * 1024

MAX_URL_CHARS = 500


@dataclass(frozen=True)
class TimestampAuthority:
    """An authority of RFC 3161.

    Args:
        name: for people.
        url: takes timestamp queries by POST.
        certificates: PEM; what its tokens must chain to, or be signed by.
    """

    name: str
    url: str
    certificates: tuple[str, ...]


@dataclass(frozen=True)
class Anchors:
    """Witnesses with their quorum, and timestamp authorities.

    Raises:
        TrustRootMalformed: a quorum that cannot be, something twice, or too many.
    """

    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    authorities: tuple[TimestampAuthority, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.witnesses)
        if count > MAX_WITNESSES or len(self.authorities) > MAX_AUTHORITIES:
            raise TrustRootMalformed("It names too many witnesses or timestamp authorities.")
        if not (0 < self.quorum <= count or self.quorum == count == 0):
            raise TrustRootMalformed(f"{count} witnesses cannot have a quorum of {self.quorum}.")
        names = [one.name for one in self.witnesses]
        names += [one.name for one in self.authorities]
        if len(set(names)) != len(names):
            raise TrustRootMalformed("Two witnesses or timestamp authorities have one name.")

    def to_json(self) -> dict[str, object]:
        """Return the members of a trust root; what there is none of is left out."""
        value: dict[str, object] = {}
        if self.witnesses:
            listed = [
                {"name": one.name, "url": one.url, "key": str(one.key)} for one in self.witnesses
            ]
            value["witnesses"] = {"quorum": self.quorum, "list": listed}
        if self.authorities:
            value["timestamp_authorities"] = [
                {"name": one.name, "url": one.url, "certificates": list(one.certificates)}
                for one in self.authorities
            ]
        return value


NO_ANCHORS = Anchors()


def anchors_of(unverified: Mapping[str, Any]) -> Anchors:
    """Return the anchors among the members of a parsed file.

    Raises:
        TrustRootMalformed: they are not what they must be.
        ValueError, KeyError, TypeError, InvalidInput: they have another form.
    """
    witnesses = unverified.get("witnesses") or {"quorum": 0, "list": []}
    quorum = witnesses["quorum"]
    if type(quorum) is not int:
        raise ValueError("quorum")
    return Anchors(
        tuple(
            Witness(
                _text(one["name"], MAX_NAME_CHARS), _url(one["url"]), PublicKey.parse(one["key"])
            )
            for one in witnesses["list"]
        ),
        quorum,
        tuple(
            TimestampAuthority(
                _text(one["name"], MAX_NAME_CHARS),
                _url(one["url"]),
                _certificates(one["certificates"]),
            )
            for one in unverified.get("timestamp_authorities") or []
        ),
    )


def read_anchors(path: Path | None) -> Anchors:
    """Return what the operator's file names; none where there is no file.

    Raises:
        TrustRootMalformed: it cannot be read, or names what cannot be.
    """
    if path is None:
        return NO_ANCHORS
    try:
        return anchors_of(json.loads(path.read_text(encoding="utf-8")))
    except TrustRootMalformed:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidInput) as problem:
        raise TrustRootMalformed(
            f"{path.name} names no witnesses and timestamp authorities in the form that is read."
        ) from problem


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= limit:
        raise ValueError("a short text on one line")
    return value


def _url(value: object) -> str:
    text = _text(value, MAX_URL_CHARS)
    if not text.startswith(("http://", "https://")):
        raise ValueError("an http address")
    return text.rstrip("/")


def _certificates(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_CERTIFICATES:
        raise ValueError("certificates")
    for one in values:
        if not isinstance(one, str) or len(one) > MAX_PEM_CHARS:
            raise ValueError("certificate")
        read_certificate(one)
    return tuple(values)
