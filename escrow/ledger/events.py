"""Events: what is written down, by whom, in which stream.

Guarantees: an event has the grammar ``room:subject:action``, belongs to exactly one stream, and
holds only machine words (ids, digests, commitments, numbers), so that its canonical form is plain
ASCII and no sentence, name or e-mail address can be written where nothing is ever deleted.
It does not guarantee that a word is no personal data: the caller commits to values, with a salt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from escrow.ground.clock import rfc3339
from escrow.ledger.errors import EventMalformed

StreamKind = Literal["installation", "organisation", "product", "agreement"]
Role = Literal["portal", "worker", "keyholder", "operator"]

STREAM_KINDS: frozenset[str] = frozenset(get_args(StreamKind))
ROLES: frozenset[str] = frozenset(get_args(Role))

# Between a role and the name of one of several processes that have it: "worker/second".
NAME_MARK = "/"
_NAMED_ROLE = re.compile(r"worker/[a-z][a-z0-9-]{0,30}")

EVENT_VERSION = 1

# Room for an act of a party, verbatim, with its signature; an event is read by people's programs.
MAX_DATA_BYTES = 64 * 1024

# Integers above 2^53 are not the same number in every JSON reader (RFC 8785, section 3.2.2.3).
MAX_INTEGER = 2**53 - 1

# Deeper data is no list of facts any more; the bound also keeps the check from recursing far.
MAX_DEPTH = 6

_WORD = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_TYPE = re.compile(rf"{_WORD}:{_WORD}:{_WORD}")

# Printable ASCII without space, '@', quotes and backslash: ids, digests, base64, key texts, times
# fit in; sentences and addresses do not. Length is bounded by MAX_DATA_BYTES.
_MACHINE_WORD = re.compile(r"[A-Za-z0-9!#$%&()*+,./:;<=>?^_{|}~\[\]-]*")


def role_behind(name: str) -> str:
    """Return the role of whoever a trust root names: a role, or one of several workers."""
    return name.partition(NAME_MARK)[0]


def is_signatory(name: str) -> bool:
    """Return whether a trust root may have a key for this: a role, or a worker with a name."""
    return name in ROLES or _NAMED_ROLE.fullmatch(name) is not None


@dataclass(frozen=True)
class Stream:
    """One line of history; events of a stream are numbered from 0 and chained by hash."""

    kind: StreamKind
    id: str

    def __post_init__(self) -> None:
        if self.kind not in STREAM_KINDS or not self.id or not _MACHINE_WORD.fullmatch(self.id):
            raise EventMalformed(
                f"{self.kind[:40]!r}/{self.id[:60]!r} names no stream of the ledger.",
                f"Use a kind of {', '.join(sorted(STREAM_KINDS))} and the id of that thing.",
            )

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True)
class NewEvent:
    """What a room wants written down; sequence, nonce, time and signature are the scribe's.

    Args:
        stream: the history that it belongs to.
        type: ``room:subject:action``, lower case, words joined by dashes.
        actor: id of who did it (member, token, process); never a name.
        data: ids, digests and commitments; numbers are integers; no sentence, no address.

    Raises:
        EventMalformed: breaks the grammar, or data holds something else.
    """

    stream: Stream
    type: str
    actor: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_event_type(self.type)
        _check_value(self.actor, "actor", 0)
        _check_value(self.data, "data", 0)
        if len(canonical_ascii(self.data)) > MAX_DATA_BYTES:
            raise EventMalformed(
                f"The data of a {self.type} event is longer than {MAX_DATA_BYTES} bytes.",
                "Store the document, and write its SHA-256 into the event.",
            )


@dataclass(frozen=True)
class Event:
    """An event as it stands in the ledger, complete but not yet signed.

    Args:
        stream: the history that it belongs to.
        sequence: place in the stream, from 0.
        previous: SHA-256 (hex) of the stream's preceding entry, None at 0.
        type: ``room:subject:action``.
        role: which process wrote it.
        actor: id of who did it.
        at: when, by the writer's clock, never earlier than the preceding entry of the stream.
        nonce: 64 hex digits; makes the public leaf unguessable.
        data: ids, digests and commitments.
    """

    stream: Stream
    sequence: int
    previous: str | None
    type: str
    role: Role
    actor: str
    at: datetime
    nonce: str
    data: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the object whose RFC 8785 form is signed (docs/protocol/ledger.md)."""
        return {
            "v": EVENT_VERSION,
            "nonce": self.nonce,
            "stream": {"kind": self.stream.kind, "id": self.stream.id},
            "sequence": self.sequence,
            "previous": self.previous,
            "type": self.type,
            "role": self.role,
            "actor": self.actor,
            "at": rfc3339(self.at),
            "data": self.data,
        }


def check_event_type(text: str) -> None:
    """Refuse what is not ``room:subject:action``.

    Raises:
        EventMalformed: other form.
    """
    if not _TYPE.fullmatch(text):
        raise EventMalformed(
            f"{text[:80]!r} is not the type of an event.",
            "Write room:subject:action in lower case, words joined by dashes.",
        )


def canonical_ascii(value: object) -> bytes:
    """Return the RFC 8785 form of a value that holds only ASCII text and small integers.

    For such values the form is plain compact JSON with sorted keys (RFC 8785, section 3.2), which
    the standard library's encoder writes twenty times faster than a general canonicaliser; that
    both agree is a property test. Callers have checked their values by :class:`NewEvent`.
    """
    return _ENCODER.encode(value).encode("ascii")


def _mapping(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_mapping
)


def _check_value(value: object, where: str, depth: int) -> None:
    match value:
        case None | bool():
            return
        case str() if _MACHINE_WORD.fullmatch(value):
            return
        case int() if abs(value) <= MAX_INTEGER:
            return
        case Mapping() if depth < MAX_DEPTH:
            for key, item in value.items():
                _check_value(key, f"{where} (a key)", depth)
                if not isinstance(key, str):
                    break
                _check_value(item, f"{where}.{key}", depth + 1)
            else:
                return
        case list() | tuple() if depth < MAX_DEPTH:
            for item in value:
                _check_value(item, f"{where}[]", depth + 1)
            return
    raise EventMalformed(
        f"{where[:80]} holds something that the ledger does not take.",
        "Write ids, digests, commitments and integers only; no spaces, no '@', no fractions.",
    )
