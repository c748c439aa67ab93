"""Is this paper true? Answered offline, with nothing but the trust root.

Guarantees: a :class:`CheckedDocument` was signed by the role that signs its kind, and the ledger's
keys vouch that its issue was written down; so was every statement beside it, by the same event.
What it does not answer: whether a later document supersedes it, whether the log showed others the
same history, and whether the trust root is the right one (compare its fingerprint, or give the
agreement, whose agents vouch for it). What a check could not tell, its result says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from escrow.evidence import dsse
from escrow.evidence.bundles import Bundle, SignedDocument
from escrow.evidence.dsse import VerifiedPayload
from escrow.evidence.errors import (
    BesideNotIssued,
    DocumentNotLogged,
    EntryNamesOtherStatement,
    SignedByOtherWorker,
    SignerInOtherRole,
    StatementCannotLead,
    StatementKindUnknown,
    StatementMalformed,
    WrongEnvironment,
)
from escrow.evidence.kinds import KINDS, DocumentKind
from escrow.evidence.snapshots import Agents
from escrow.evidence.statements import (
    BESIDE_FIELD,
    PAYLOAD_TYPE,
    STATEMENT_FIELD,
    Statement,
    parse_statement,
)
from escrow.evidence.timestamps import VerifiedTime, verify_timestamp
from escrow.evidence.trustroot import PRODUCTION, TrustRoot
from escrow.evidence.vouching import Believed, believed_root
from escrow.ground.clock import rfc3339
from escrow.ledger.checkpoints import verify_checkpoint
from escrow.ledger.cosignatures import check_cosignature, unverified_lines_of
from escrow.ledger.verifying import VerifiedEvent, verify_proof


@dataclass(frozen=True)
class CheckedStatement:
    """A statement about which the questions on signature and kind were answered yes.

    Args:
        key_id: the key that signed it.
        times: when authorities of the trust root say that it had been signed.
    """

    kind: DocumentKind
    statement: Statement
    key_id: str
    times: tuple[VerifiedTime, ...] = ()


@dataclass(frozen=True)
class CheckedDocument:
    """A document about which every question was answered yes.

    Args:
        kind: what it is.
        statement: what it says.
        key_id: the key that signed it.
        environment: of the installation, as document and trust root both name it.
        event: the ledger's proven record of its issue.
        trust_root_fingerprint: of the trust root that was believed.
        beside: the statements that the same event issued.
        believed: why the trust root was believed, and what about it nobody could tell.
        times: when authorities of the trust root say that the document had been signed.
        witnesses: names of those that cosigned the checkpoint.
    """

    kind: DocumentKind
    statement: Statement
    key_id: str
    environment: str
    event: VerifiedEvent
    trust_root_fingerprint: str
    beside: tuple[CheckedStatement, ...]
    believed: Believed
    times: tuple[VerifiedTime, ...]
    witnesses: tuple[str, ...]

    @property
    def could_not_tell(self) -> tuple[str, ...]:
        """What about the document nobody could tell here."""
        untold = list(self.believed.could_not_tell)
        if not self.times:
            untold.append("when it was signed by another clock than ours: it has no timestamp")
        if len(self.witnesses) < max(1, self.believed.root.anchors.quorum):
            untold.append("whether others were shown the same log: no quorum of witnesses cosigned")
        return tuple(untold)

    @property
    def is_production(self) -> bool:
        """Whether it counts outside trials."""
        return self.environment == PRODUCTION

    @property
    def predicate(self) -> Mapping[str, object]:
        """What the statement says, by its kind."""
        return self.statement.predicate

    def facts(self) -> dict[str, object]:
        """Return what a person wants to read, in order; a fact that is not there is None."""
        deposit = _section(self.predicate, "deposit")
        checkpoint = self.event.checkpoint
        return {
            "kind": self.kind.title,
            "warning": None
            if self.is_production
            else f"Made in a {self.environment} environment: it is no evidence.",
            "service": _section(self.predicate, "service").get("name"),
            "product": _section(self.predicate, "product").get("name") or deposit.get("productId"),
            "deposit": deposit.get("id"),
            "number": deposit.get("number"),
            "sealed_at": deposit.get("sealedAt"),
            "reported_by": _reporters(self.predicate),
            "verdict": self.predicate.get("verdict"),
            "level_reached": self.predicate.get("levelReached"),
            "smallest_k": self.predicate.get("smallestK"),
            "agreement": _section(self.predicate, "agreement").get("id"),
            "request": _section(self.predicate, "request").get("id"),
            "condition": _section(self.predicate, "request").get("condition"),
            "released_to": _section(self.predicate, "beneficiary").get("organisation"),
            "subjects": [f"{name} sha256:{one}" for name, one in self.statement.subjects],
            "statement_sha256": self.statement.sha256,
            "signed_by": f"{self.kind.role} key {self.key_id[:16]}",
            "logged_at": rfc3339(self.event.event.at),
            "ledger_leaf": self.event.leaf_index,
            "ledger_size": checkpoint.tree_size,
            "ledger_root": checkpoint.root_hex,
            "trust_root": self.trust_root_fingerprint,
            "vouched_by": [
                f"{len(one.key_ids)} agents of {one.agreement_id}" for one in self.believed.vouched
            ],
            "beside": [f"{one.kind.title} sha256:{one.statement.sha256}" for one in self.beside],
            "timestamps": [f"{rfc3339(one.at)} {one.authority}" for one in self.times],
            "witnesses": list(self.witnesses),
            "could_not_tell": list(self.could_not_tell),
        }


def check_document(
    text: str, trust_root: TrustRoot | None, agents: Sequence[Agents] = ()
) -> CheckedDocument:
    """Return the document when everything about it holds.

    1. It parses as a signed document. 2. The public keys to check with are the pinned ones, or
    those that k agents vouch for in the file. 3. A key that they name for a role signed the
    statement. 4. That signature holds over the statement's bytes. 5. The statement is an in-toto
    statement of a known kind that may stand alone, and the role is the one that signs this kind.
    6. The ledger's entry was signed by that role too. 7. The leaf for the entry was signed by the
    leaf key; the inclusion path leads from the leaf to the checkpoint's root; the log signed the
    checkpoint. 8. The entry names this statement's SHA-256. 9. Each statement beside it answers 3
    to 5 alike, and the entry names exactly these; one key signed all of it and the entry, and is
    that of the worker which a report names. 10. Document and trust root name the same environment;
    when it is not production the result says so. 11. Every timestamp is an authority's
    of the trust root, over exactly this signature.

    Args:
        text: the file, as received.
        trust_root: given out of band, fingerprint compared; None: agents have to vouch.
        agents: of the agreements whose text the reader holds.

    Raises:
        DocumentMalformed: question 1.
        TrustRootNotVouched, TrustRootUndecided: question 2.
        SignerUnknown: question 3.
        EnvelopeSignatureWrong: question 4.
        StatementMalformed, StatementKindUnknown, StatementCannotLead, SignerInOtherRole: question
            5.
        DocumentNotLogged, EntryMalformed, RoleUnknown, RoleSignatureWrong: question 6.
        LeafKeyUnknown, LeafSignatureWrong, InclusionWrong, CheckpointMalformed,
        CheckpointOfOtherLog, CheckpointSignatureWrong: question 7.
        EntryNamesOtherStatement: question 8.
        BesideNotIssued, SignedByOtherWorker: question 9.
        WrongEnvironment: question 10.
        TimestampWrong: question 11.
    """
    # 1. parse
    document = SignedDocument.from_json(text)
    # 2. keys
    believed = believed_root(document.snapshot, trust_root, agents)
    root = believed.root
    # 3. key, 4. signature, 5. statement
    leading = _checked(document.leading, root)
    if not leading.kind.leads:
        raise StatementCannotLead(f"A {leading.kind.title} is no document of its own.")
    # 6., 7. role, leaf, inclusion, checkpoint; only then is the entry worth reading
    if document.ledger is None:
        raise DocumentNotLogged
    event = verify_proof(document.ledger, root.ledger_keys)
    # 8. the entry is about this statement
    _check_entry(event, leading.statement, leading.kind)
    # 9. beside it
    beside = tuple(_checked(one, root) for one in document.beside)
    _check_beside(event, leading, beside)
    _check_one_signer(event, leading, beside)
    # 10. environment
    environment = _section(leading.statement.predicate, "service").get("environment")
    if environment != root.environment:
        raise WrongEnvironment(
            f"The document is of the environment {environment!r}, the trust root of "
            f"{root.environment!r}."
        )
    return CheckedDocument(
        kind=leading.kind,
        statement=leading.statement,
        key_id=leading.key_id,
        environment=root.environment,
        event=event,
        trust_root_fingerprint=root.fingerprint(),
        beside=beside,
        believed=believed,
        times=leading.times,
        witnesses=tuple(sorted(_witnesses(document, root))),
    )


def _checked(bundle: Bundle, root: TrustRoot) -> CheckedStatement:
    """Answer the questions 3 to 5 for one bundle, and 11 for its timestamps."""
    keys = {key.key_id: key for key in root.roles.values()}
    payload = dsse.verify_envelope(bundle.envelope, keys)
    statement, kind = _statement(payload, root)
    times = tuple(
        verify_timestamp(token, bundle.signature, root.anchors.authorities)
        for token in bundle.timestamps
    )
    # A bundle has exactly one signature, and it was just verified.
    return CheckedStatement(kind, statement, payload.key_ids[0], times)


def _witnesses(document: SignedDocument, root: TrustRoot) -> frozenset[str]:
    """Return which witnesses cosigned the proof's checkpoint; those not in the root say nothing."""
    if document.ledger is None:
        return frozenset()
    note = document.ledger.checkpoint
    names = {one.key.key_id: one.name for one in root.anchors.witnesses}
    lines = [one for one in unverified_lines_of(note) if one.key_id in names]
    checkpoint = verify_checkpoint(note, root.log)
    for line in lines:
        # A line of a known witness that does not hold was changed: nobody honest writes one.
        key = next(one.key for one in root.anchors.witnesses if one.key.key_id == line.key_id)
        check_cosignature(line, checkpoint, key)
    return frozenset(names[one.key_id] for one in lines)


def _check_beside(
    event: VerifiedEvent, leading: CheckedStatement, beside: Sequence[CheckedStatement]
) -> None:
    """Refuse a document from which one was taken away, or into which one was put."""
    named = event.event.data.get(BESIDE_FIELD, [])
    if [one.statement.sha256 for one in beside] != named:
        raise BesideNotIssued("The ledger's entry names other statements beside this one.")
    for one in beside:
        if one.kind.leads or one.kind.role != leading.kind.role:
            raise StatementCannotLead(f"A {one.kind.title} does not travel beside another.")


def _check_one_signer(
    event: VerifiedEvent, leading: CheckedStatement, beside: Sequence[CheckedStatement]
) -> None:
    """Refuse what one worker signed and another logged: each answers for its own reports alone."""
    signers = {event.key_id, leading.key_id, *(one.key_id for one in beside)}
    named = _section(leading.statement.predicate, "examination").get("worker")
    if len(signers) > 1 or named not in (None, leading.key_id):
        raise SignedByOtherWorker(
            "The document, its entry in the ledger and the worker that it names are not of one key."
        )


def _statement(payload: VerifiedPayload, trust_root: TrustRoot) -> tuple[Statement, DocumentKind]:
    if payload.payload_type != PAYLOAD_TYPE:
        raise StatementMalformed(f"What was signed is {payload.payload_type[:60]!r}, no statement.")
    statement = parse_statement(payload.payload)
    kind = KINDS.get(statement.predicate_type)
    if kind is None:
        # A service of tomorrow may sign what we cannot judge; that is no proof against it.
        raise StatementKindUnknown(statement.predicate_type)
    signers = [trust_root.role_of(key_id) for key_id in payload.key_ids]
    if kind.role not in signers:
        raise SignerInOtherRole(
            f"A {kind.title} is signed by the {kind.role}, not by the {signers[0]}."
        )
    return statement, kind


def _check_entry(event: VerifiedEvent, statement: Statement, kind: DocumentKind) -> None:
    if event.event.data.get(STATEMENT_FIELD) != statement.sha256:
        raise EntryNamesOtherStatement("The ledger's entry is about another document.")
    if event.event.role != kind.role:
        raise SignerInOtherRole(
            f"The issue of a {kind.title} is logged by the {kind.role}, "
            f"not by the {event.event.role}."
        )


def _reporters(predicate: Mapping[str, object]) -> list[str] | None:
    """Return whose reports a document rests on: its own worker's, or those of each deposit."""
    own = _section(predicate, "examination").get("worker")
    if own is not None:
        return [f"worker key {str(own)[:16]}"]
    deposits = predicate.get("deposits")
    listed = [one for one in deposits if isinstance(one, Mapping)] if _is_list(deposits) else []
    told = [
        f"{one.get('id')}: worker key {', '.join(str(key)[:16] for key in one['reportedBy'])}"
        for one in listed
        if _is_list(one.get("reportedBy"))
    ]
    return told or None


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _section(predicate: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = predicate.get(name)
    return value if isinstance(value, Mapping) else {}
