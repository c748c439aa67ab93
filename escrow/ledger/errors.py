"""What can go wrong with the ledger; each class answers one question of a check.

Malformed requests and files are :class:`InvalidInput`; a proof that does not hold is
:class:`Tampered` and pages a person.
"""

from __future__ import annotations

from escrow.ground.errors import InvalidInput, Refused, Tampered, Unavailable

_DO_NOT_RELY = "Do not rely on it; fetch the document again, and tell the operator if it stays so."
_STOP = "Stop writing, keep the database as it is, and compare it with the last backup."


class EventMalformed(InvalidInput):
    """An event breaks the grammar, or holds what an event must not hold."""

    code = "ledger.event-malformed"


class ProofMalformed(InvalidInput):
    """A text that should be a ledger proof is none."""

    code = "ledger.proof-malformed"


class StreamBusy(Unavailable):
    """Two transactions wrote the same place of one stream; the later one has to run again."""

    code = "ledger.stream-busy"

    def __init__(self, stream: str) -> None:
        super().__init__(
            f"Somebody else wrote to the stream {stream} at the same moment.",
            "Send the request again; nothing of it was stored.",
            retry_after_seconds=1,
        )


class WitnessSilent(Unavailable):
    """A witness does not answer, or what it answers is no cosignature of its own."""

    code = "ledger.witness-silent"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The witness {name} did not cosign: {why}.",
            "It is asked again by itself; ask whoever runs it if it stays so.",
        )


class WitnessAhead(Tampered):
    """A witness has seen more of this log than we are shown: the log was rolled back, or waits."""

    code = "ledger.witness-ahead"

    def __init__(self, name: str, seen: int, shown: int) -> None:
        super().__init__(
            f"The witness {name} has seen {seen} leaves of this log; what is shown has {shown}.",
            "Sign nothing. If it stays so on a fresh look, the log was rolled back: tell all.",
        )


class WitnessRefuses(Tampered):
    """A witness says that a checkpoint does not continue the history that it has seen."""

    code = "ledger.witness-refuses"

    def __init__(self, name: str, shown: int) -> None:
        super().__init__(
            f"The witness {name} refuses the checkpoint of {shown} leaves: another history.",
            "Sign nothing, keep what you were shown, and compare it with what others hold.",
        )


class ProofFails(Tampered):
    """Root of every answer "no" to a question about one proof."""

    code = "ledger.proof-fails"

    def __init__(self, reason: str, remedy: str = _DO_NOT_RELY) -> None:
        super().__init__(reason, remedy)


class EntryMalformed(ProofFails):
    """Is the entry in the one form that an entry has? No."""

    code = "ledger.entry-malformed"


class ChainBroken(ProofFails):
    """Does each entry of a stretch of history follow the one before it? No."""

    code = "ledger.chain-broken"


class HeadBehind(ProofFails):
    """Does a stream reach as far as the keyholder saw it reach? No."""

    code = "ledger.head-behind"


class RoleUnknown(ProofFails):
    """Is the entry signed by a key that the trust root names for its role? No."""

    code = "ledger.role-unknown"


class RoleSignatureWrong(ProofFails):
    """Does the signature of the role hold over the event? No."""

    code = "ledger.role-signature-wrong"


class LeafKeyUnknown(ProofFails):
    """Is the leaf made by the ledger's leaf key? No."""

    code = "ledger.leaf-key-unknown"


class LeafSignatureWrong(ProofFails):
    """Does the signature of the leaf hold over the entry's checksum? No."""

    code = "ledger.leaf-signature-wrong"


class CheckpointMalformed(ProofFails):
    """Is the checkpoint a signed note in the form of a checkpoint? No."""

    code = "ledger.checkpoint-malformed"


class CheckpointOfOtherLog(ProofFails):
    """Does the checkpoint belong to this log? No."""

    code = "ledger.checkpoint-of-other-log"


class CheckpointSignatureWrong(ProofFails):
    """Does the log's signature hold over the checkpoint? No."""

    code = "ledger.checkpoint-signature-wrong"


class InclusionWrong(ProofFails):
    """Do leaf, index and path give the root of the checkpoint? No."""

    code = "ledger.inclusion-wrong"


class ConsistencyWrong(ProofFails):
    """Does the newer tree begin with the whole older tree? No."""

    code = "ledger.consistency-wrong"


class CosignatureMalformed(ProofFails):
    """Is a witness's answer in the form of cosignatures? No."""

    code = "ledger.cosignature-malformed"


class CosignatureWrong(ProofFails):
    """Does a witness's signature hold over the checkpoint? No."""

    code = "ledger.cosignature-wrong"


class LedgerBroken(Tampered):
    """Root of what a check of the whole ledger finds; the reason names the row."""

    code = "ledger.broken"

    def __init__(self, reason: str, remedy: str = _STOP) -> None:
        super().__init__(reason, remedy)


class RowUnreadable(LedgerBroken):
    """A row holds something that no column of the ledger can hold."""

    code = "ledger.row-unreadable"


class EntryRowRewritten(LedgerBroken):
    """A row's columns or digest contradict the signed bytes beside them."""

    code = "ledger.entry-row-rewritten"


class StreamGap(LedgerBroken):
    """A stream lacks a sequence number: an entry was removed, or one was slipped in."""

    code = "ledger.stream-gap"


class StreamForked(LedgerBroken):
    """An entry does not name the entry before it as its predecessor."""

    code = "ledger.stream-forked"


class TimeRunsBack(LedgerBroken):
    """An entry claims an earlier time than the entry before it in its stream."""

    code = "ledger.time-runs-back"


class EntryForged(LedgerBroken):
    """The bytes of an entry are malformed, or no pinned role signed them."""

    code = "ledger.entry-forged"


class LeafGap(LedgerBroken):
    """Leaf indices do not run from 0 without a hole, or a leaf has no entry."""

    code = "ledger.leaf-gap"


class EntryRemoved(LedgerBroken):
    """A leaf stands for an entry that is not there any more."""

    code = "ledger.entry-removed"


class LeafRewritten(LedgerBroken):
    """A leaf does not carry the checksum of its entry, or another key's hash."""

    code = "ledger.leaf-rewritten"


class LeafForged(LedgerBroken):
    """The signature of a leaf does not hold under the leaf key."""

    code = "ledger.leaf-forged"


class NodeRewritten(LedgerBroken):
    """A stored inner hash of the tree is not what its children give."""

    code = "ledger.node-rewritten"


class RootWrong(LedgerBroken):
    """The leaves do not give the root that a checkpoint states."""

    code = "ledger.root-wrong"


class CheckpointForged(LedgerBroken):
    """A stored checkpoint is malformed, of another log, or not signed by the log key."""

    code = "ledger.checkpoint-forged"


class StateWithoutEvent(LedgerBroken):
    """A row holds a state that no event of the ledger made."""

    code = "ledger.state-without-event"


class EventWithoutState(LedgerBroken):
    """An event made a state, and no row holds it."""

    code = "ledger.event-without-state"


class StateContradictsEvent(LedgerBroken):
    """A row says something else than the events that made it."""

    code = "ledger.state-contradicts-event"


class EntrySkipped(LedgerBroken):
    """An entry never became a leaf although later ones did."""

    code = "ledger.entry-skipped"


class RolledBack(LedgerBroken):
    """The ledger is shorter than the last checkpoint that the keyholder signed."""

    code = "ledger.rolled-back"


class HistoryGap(LedgerBroken):
    """The ledger goes on beyond the last checkpoint that the keyholder signed."""

    code = "ledger.history-gap"


class OtherHistory(LedgerBroken):
    """The ledger has another root than the last checkpoint that the keyholder signed."""

    code = "ledger.other-history"


class LastCheckpointLost(LedgerBroken):
    """The keyholder's own copy of the last checkpoint is missing or unreadable."""

    code = "ledger.last-checkpoint-lost"


class NotWitnessed(Refused):
    """No quorum of witnesses has seen that something is intended; it is not carried out yet."""

    code = "ledger.not-witnessed"

    def __init__(self) -> None:
        super().__init__(
            "The log's witnesses have not cosigned the intent yet.",
            "Wait a minute; if it stays so, a witness is silent, or has seen another history.",
        )
