"""The trust root as k agents vouched for it: a snapshot that travels with the papers.

The pinned trust root proves a paper while it stands; keys change, and papers outlive them. A
snapshot names the keys of its time, and beside them the acts by which agents of an agreement said
that they compared exactly this trust root and stand for it. Whoever holds the agreement's text
knows the agents' keys, and so needs nobody else to believe an old paper.

Guarantees: :func:`verify_vouches` counts an agent once, and only for exactly this trust root under
exactly this agreement. It does not say who the agents are: the agreement's text does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escrow.evidence.acts import Act, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import ActMalformed, EvidenceFails, TrustRootNotVouched
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import PublicKey

SNAPSHOT_FORMAT = "escrow-trust-snapshot/1"

VOUCH_ACT = "vouch-trust-root"

# A vendor's paper carries the acts under each of his agreements; no product has this many.
MAX_VOUCHED = 64
# n is at most 16 in any agreement's terms; each agent vouches once for one trust root.
MAX_ACTS = 32


@dataclass(frozen=True)
class Vouched:
    """The acts under one agreement; unverified.

    Args:
        agreement_id: whose agents they are.
        acts: as the agents signed them.
    """

    agreement_id: str
    acts: tuple[Envelope, ...]


@dataclass(frozen=True)
class TrustSnapshot:
    """A trust root and who is said to vouch for it; nothing of it is verified.

    Args:
        root: the keys of the time.
        vouched: for each agreement that the paper serves, the agents' acts.
    """

    root: TrustRoot
    vouched: tuple[Vouched, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the snapshot's JSON object."""
        return {
            "format": SNAPSHOT_FORMAT,
            "trustRoot": json.loads(self.root.to_json()),
            "vouched": [
                {"agreement": one.agreement_id, "acts": [act.to_json() for act in one.acts]}
                for one in self.vouched
            ],
        }

    @classmethod
    def from_json(cls, value: Any) -> TrustSnapshot:  # noqa: ANN401  (whatever a file holds)
        """Return the snapshot that a JSON value is.

        Raises:
            ValueError, KeyError, TypeError, InvalidInput: it is none.
        """
        listed = value["vouched"]
        if value["format"] != SNAPSHOT_FORMAT or len(listed) > MAX_VOUCHED:
            raise ValueError("format")
        if any(len(one["acts"]) > MAX_ACTS for one in listed):
            raise ValueError("acts")
        vouched = tuple(
            Vouched(str(one["agreement"]), tuple(Envelope.from_json(act) for act in one["acts"]))
            for one in listed
        )
        return cls(TrustRoot.from_json(json.dumps(value["trustRoot"])), vouched)

    def acts_under(self, agreement_id: str) -> tuple[Envelope, ...]:
        """Return the acts under an agreement; none when nobody vouched."""
        return tuple(
            act for one in self.vouched if one.agreement_id == agreement_id for act in one.acts
        )


@dataclass(frozen=True)
class Agents:
    """Who vouches under an agreement, as its text has it.

    Args:
        keys: the signing key of each agent.
        k: how many have to.
    """

    keys: tuple[PublicKey, ...]
    k: int


@dataclass(frozen=True)
class Vouching:
    """That agents vouch for a trust root: under which agreement, by which keys."""

    agreement_id: str
    key_ids: tuple[str, ...]


def vouch_subject(agreement_id: str, trust_root_sha256: str) -> dict[str, object]:
    """Return the subject of ``vouch-trust-root``: exactly these keys, under this agreement."""
    return {"agreement_id": agreement_id, "trust_root_sha256": trust_root_sha256}


def verify_vouches(snapshot: TrustSnapshot, agents: Agents) -> Vouching:
    """Return who of an agreement's agents vouch for a snapshot; at least k different ones.

    The text of an agreement does not name its id, so its acts are those that its agents alone
    signed: an agent may serve under other agreements of the paper too, beside other people.

    Raises:
        TrustRootNotVouched: too few do, or an act among theirs does not hold.
    """
    keys = {str(key): key for key in agents.keys}
    found = Vouching("", ())
    for one in snapshot.vouched:
        if one.acts and all(_key_named(act) in keys for act in one.acts):
            found = _verified(snapshot, one, keys)
            if len(found.key_ids) >= agents.k:
                return found
    raise TrustRootNotVouched(
        f"{len(found.key_ids)} of the {len(agents.keys)} agents vouch for these public keys; "
        f"{agents.k} have to."
    )


def check_acts_whole(snapshot: TrustSnapshot) -> None:
    """Refuse a snapshot whose acts do not hold under the keys that they name.

    For a reader who does not know the agents: that somebody changed an act he sees all the same.

    Raises:
        TrustRootNotVouched: one does not hold, or is about other keys.
    """
    for one in snapshot.vouched:
        named = [_key_named(act) for act in one.acts]
        _verified(snapshot, one, {text: PublicKey.parse(text) for text in named})


def _verified(snapshot: TrustSnapshot, vouched: Vouched, keys: Mapping[str, PublicKey]) -> Vouching:
    """Return who vouches under one agreement, each counted once.

    1. Each act names one of the keys. 2. That key signed it. 3. It is the act
    ``vouch-trust-root``, about this agreement and this trust root. One "no" refuses the snapshot:
    whoever made it put the act there to be counted.
    """
    expected = vouch_subject(vouched.agreement_id, snapshot.root.sha256())
    key_ids: list[str] = []
    for envelope in vouched.acts:
        act = _vouch(envelope, keys)
        if act.name != VOUCH_ACT or dict(act.subject) != expected:
            raise TrustRootNotVouched("An agent's act in the file is about other keys.")
        key_ids.append(act.key.key_id)
    return Vouching(vouched.agreement_id, tuple(dict.fromkeys(key_ids)))


def _key_named(unverified_act: Envelope) -> str:
    try:
        return str(parse_act(unverified_act.payload).key)
    except ActMalformed as problem:
        raise TrustRootNotVouched("What an agent is said to have signed is no act.") from problem


def _vouch(envelope: Envelope, keys: Mapping[str, PublicKey]) -> Act:
    try:
        key = keys[str(parse_act(envelope.payload).key)]
        return verify_act(envelope, key)
    except KeyError:
        raise TrustRootNotVouched("Somebody who is no agent of the agreement vouches.") from None
    except (InvalidInput, EvidenceFails) as problem:
        raise TrustRootNotVouched(f"An agent's act does not hold. {problem.reason}") from problem


def snapshot_of(root: TrustRoot, vouched: Mapping[str, Sequence[Envelope]]) -> TrustSnapshot:
    """Return the snapshot of a trust root with the acts under each agreement, in a fixed order."""
    return TrustSnapshot(
        root, tuple(Vouched(one, tuple(vouched[one])) for one in sorted(vouched) if vouched[one])
    )
