"""Is this paper true? Answered offline, with nothing but the trust root.

Guarantees: a :class:`CheckedDocument` was signed by the role that signs its kind, and the ledger's
keys vouch that its issue was written down. What it does not answer: whether a later document
supersedes it, whether the log showed others the same history, and whether the trust root is the
right one (compare its fingerprint).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.evidence import dsse
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.dsse import VerifiedPayload
from escrow.evidence.errors import (
    DocumentNotLogged,
    EntryNamesOtherStatement,
    SignerInOtherRole,
    StatementMalformed,
    WrongEnvironment,
)
from escrow.evidence.statements import (
    PAYLOAD_TYPE,
    RECEIPT_TYPE,
    RELEASE_TYPE,
    REPORT_TYPE,
    STATEMENT_FIELD,
    Statement,
    parse_statement,
)
from escrow.evidence.trustroot import PRODUCTION, TrustRoot
from escrow.ground.clock import rfc3339
from escrow.ledger.verifying import VerifiedEvent, verify_proof


@dataclass(frozen=True)
class DocumentKind:
    """A kind of document: its title, and the one role that signs and logs it."""

    title: str
    role: str


KINDS: Mapping[str, DocumentKind] = {
    RECEIPT_TYPE: DocumentKind("deposit receipt", "portal"),
    REPORT_TYPE: DocumentKind("verification report", "worker"),
    RELEASE_TYPE: DocumentKind("release certificate", "keyholder"),
}


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
    """

    kind: DocumentKind
    statement: Statement
    key_id: str
    environment: str
    event: VerifiedEvent
    trust_root_fingerprint: str

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
        }


def check_document(text: str, trust_root: TrustRoot) -> CheckedDocument:
    """Return the document when everything about it holds.

    1. It parses as a signed document. 2. A key that the trust root names for a role signed it.
    3. That signature holds over the statement's bytes. 4. The statement is an in-toto statement of
    a known kind, and the role is the one that signs this kind. 5. The ledger's entry was signed by
    that role too. 6. The entry names this statement's SHA-256. 7. The leaf for the entry was signed
    by the leaf key. 8. The inclusion path leads from the leaf to the checkpoint's root. 9. The log
    signed the checkpoint. 10. Document and trust root name the same environment; when it is not
    production the result says so.

    Args:
        text: the file, as received.
        trust_root: given out of band, fingerprint compared.

    Raises:
        DocumentMalformed: question 1.
        SignerUnknown: question 2.
        EnvelopeSignatureWrong: question 3.
        StatementMalformed, SignerInOtherRole: question 4.
        DocumentNotLogged, EntryMalformed, RoleUnknown, RoleSignatureWrong: question 5.
        EntryNamesOtherStatement: question 6.
        LeafKeyUnknown, LeafSignatureWrong: question 7.
        InclusionWrong: question 8.
        CheckpointMalformed, CheckpointOfOtherLog, CheckpointSignatureWrong: question 9.
        WrongEnvironment: question 10.
    """
    # 1. parse
    document = SignedDocument.from_json(text)
    # 2. key, 3. signature
    keys = {key.key_id: key for key in trust_root.roles.values()}
    payload = dsse.verify_envelope(document.envelope, keys)
    # 4. statement
    statement, kind = _statement(payload, trust_root)
    # 5., 7., 8., 9. role, leaf, inclusion, checkpoint; only then is the entry worth reading
    if document.ledger is None:
        raise DocumentNotLogged
    event = verify_proof(document.ledger, trust_root.ledger_keys)
    # 6. the entry is about this statement
    _check_entry(event, statement, kind)
    # 10. environment
    environment = _section(statement.predicate, "service").get("environment")
    if environment != trust_root.environment:
        raise WrongEnvironment(
            f"The document is of the environment {environment!r}, the trust root of "
            f"{trust_root.environment!r}."
        )
    return CheckedDocument(
        kind=kind,
        statement=statement,
        key_id=trust_root.roles[kind.role].key_id,
        environment=trust_root.environment,
        event=event,
        trust_root_fingerprint=trust_root.fingerprint(),
    )


def _statement(payload: VerifiedPayload, trust_root: TrustRoot) -> tuple[Statement, DocumentKind]:
    if payload.payload_type != PAYLOAD_TYPE:
        raise StatementMalformed(f"What was signed is {payload.payload_type[:60]!r}, no statement.")
    statement = parse_statement(payload.payload)
    kind = KINDS.get(statement.predicate_type)
    if kind is None:
        raise StatementMalformed(
            f"{statement.predicate_type[:80]!r} is no kind of document that this program knows.",
            "Take a newer version of this program.",
        )
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


def _section(predicate: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = predicate.get(name)
    return value if isinstance(value, Mapping) else {}
