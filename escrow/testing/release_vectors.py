"""One release as it is written down, made with keys that everybody knows: the published vectors.

Everything that is signed comes out the same at every run, since Ed25519 draws nothing. A share and
a header are sealed with fresh randomness, as age must; those are taken from the published file and
only opened. ``python -m escrow.testing.release_vectors`` writes the file anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from escrow.evidence.acts import sign_act
from escrow.evidence.bundles import SignedDocument, sign_statement
from escrow.evidence.dsse import Envelope
from escrow.evidence.release_certificates import ReleaseFacts, release_statement
from escrow.evidence.statements import Stamp
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import rfc3339
from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.chains import Chain
from escrow.ledger.checkpoints import sign_checkpoint
from escrow.ledger.entries import sign_entry
from escrow.ledger.events import Event, Role, Stream
from escrow.ledger.leaves import sign_leaf
from escrow.ledger.merkle import Frontier, hash_ranges, inclusion_ranges, root_of
from escrow.ledger.verifying import LedgerProof
from escrow.releases.clocks import WALL, RightsTime
from escrow.releases.offers import Offer, OfferedDeposit, OfferedPart
from escrow.releases.subjects import (
    ConfirmationSubject,
    Evidence,
    RequestSubject,
    SealedShare,
    act_subject,
)
from escrow.testing.agreements import AgreementCast
from escrow.testing.ledgers import named_key
from escrow.vault.age import FileKey, HybridIdentity, wrap_file_key
from escrow.vault.ceremony import OpenedShare
from escrow.vault.release_shares import seal_release_share
from escrow.vault.shares import split

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AGREEMENT = AgreementId("agr_01")
REQUEST = RequestId("req_" + "0" * 25 + "1")
STREAM = Stream("agreement", AGREEMENT)
CONDITION = "vendor-insolvency"
AGENTS = ("agent_1", "agent_3")
ONE_TIME = HybridIdentity(hashlib.sha256(b"vector/one-time").digest())
FILE_KEY = FileKey(hashlib.sha256(b"vector/file-key").digest()[:16])


@dataclass(frozen=True)
class Sealed:
    """What no key makes twice: each agent's share and its file, and the released header."""

    shares: tuple[bytes, ...]
    files: tuple[bytes, ...]
    header: bytes

    @classmethod
    def fresh(cls) -> Sealed:
        """Return all of it made anew."""
        first, _, third = split(hashlib.sha256(b"vector/sealing").digest(), 2, 3)
        numbered = ((1, first), (3, third))
        files = tuple(
            seal_release_share(
                OpenedShare(AGREEMENT, 1, index, 2, 3, share, b""), REQUEST, ONE_TIME.recipient
            )
            for index, share in numbered
        )
        recipient = AgreementCast().identity("beneficiary_primary").recipient
        return cls((first, third), files, wrap_file_key(FILE_KEY, [recipient]))

    @classmethod
    def published(cls, vectors: Mapping[str, list[dict[str, str]] | dict[str, str]]) -> Sealed:
        """Return what a published file holds."""
        shares = vectors["shares"]
        header = vectors["header"]
        if not isinstance(shares, list) or not isinstance(header, dict):
            raise TypeError("not the file of vectors")
        return cls(
            tuple(bytes.fromhex(one["share"]) for one in shares),
            tuple(base64.b64decode(one["file"]) for one in shares),
            header["header"].encode(),
        )


class Recording:
    """The acts and events of one consented release, from its filing to its certificate."""

    def __init__(self, sealed: Sealed) -> None:
        self.cast = AgreementCast()
        self.sealed = sealed
        self.entries: list[bytes] = []
        named = [one for one in self.cast.agreement.conditions if one.type == CONDITION]
        self.offer = _offer(tuple(named[0].frees))
        self.acts: dict[str, Envelope] = {}
        self._file_and_consent()
        self._confirm()
        self._intend()
        self.certificate = self._execute()

    @property
    def request_sha256(self) -> Sha256Hex:
        """Digest of the filing act."""
        return sha256_hex(self.acts["file-release-request"].payload)

    @property
    def facts(self) -> ReleaseFacts:
        """What the certificate says."""
        terms = self.cast.agreement
        return ReleaseFacts(
            agreement_id=AGREEMENT,
            version=1,
            text_sha256=terms.text_sha256,
            request_id=REQUEST,
            request_act_sha256=self.request_sha256,
            condition=CONDITION,
            bundle=self.offer.bundle,
            approved_by="consent",
            approved_at=_moment(1),
            beneficiary=self.cast.beneficiary,
            recipient=self._recipient,
            k=2,
            n=3,
            epoch=1,
            confirmations=self._confirmed,
            offer_sha256=self.offer.sha256,
            deposits=tuple((one.deposit_id, one.number) for one in self.offer.deposits),
            payloads={one.part_id: one.payload_sha256 for one in self.offer.sent_parts()},
            headers={
                one.part_id: sha256_hex(self.sealed.header) for one in self.offer.sent_parts()
            },
            not_opened=self.offer.not_handed_over(one.part_id for one in self.offer.sent_parts()),
            last_verified=self.offer.last_verified,
            last_before_filing=self.offer.last_before_filing,
            intended_at=_moment(5),
            clocks=RightsTime(_moment(5), (WALL,)).text,
        )

    @property
    def chain(self) -> Chain:
        """The whole stream, with the proof of its last entry."""
        last = len(self.entries) - 1
        leaves = [sign_leaf(entry, named_key("vector/leaf")) for entry in self.entries]
        tree = Frontier()
        for leaf in leaves:
            tree.append(leaf.hash)
        path = hash_ranges(
            inclusion_ranges(last, len(leaves)),
            lambda level, at: root_of(one.hash for one in leaves[at << level : (at + 1) << level]),
        )
        note = sign_checkpoint(len(leaves), tree.root(), named_key("vector/log")).note
        leaf = leaves[last]
        proof = LedgerProof(self.entries[last], last, leaf.key_hash, leaf.signature, path, note)
        return Chain(tuple(self.entries), proof)

    @property
    def _recipient(self) -> str:
        return str(self.cast.identity("beneficiary_primary").recipient)

    @property
    def _confirmed(self) -> tuple[Sha256Hex, ...]:
        return tuple(sha256_hex(self.acts[f"confirm-release {who}"].payload) for who in AGENTS)

    def _file_and_consent(self) -> None:
        subject = RequestSubject(
            agreement_id=AGREEMENT,
            version=1,
            text_sha256=self.cast.agreement.text_sha256,
            request_id=REQUEST,
            condition=CONDITION,
            recipient=self._recipient,
            statement_sha256=sha256_hex(b"The vendor was wound up."),
            evidence=(Evidence("court-record", sha256_hex(b"Docket 17.")),),
        )
        self._act("file-release-request", "beneficiary", subject.to_json(), "request:filed")
        more = {"method": "courier", "day": "2026-01-02", "proof_sha256": sha256_hex(b"Signed.")}
        objection = {"ground": "cured", "statement_sha256": sha256_hex(b"It is cured.")}
        # Made and signed, but not part of this history: a consent alone leads to the release.
        self._act("acknowledge-service", "vendor", self._on_request())
        self._act("state-service", "agent_1", self._on_request(**more))
        self._act("file-contrary-instructions", "vendor", self._on_request(**objection))
        self._act("withdraw-release-request", "beneficiary", self._on_request())
        self._act("consent-to-release", "vendor", self._on_request(), "request:consented")

    def _confirm(self) -> None:
        opening: dict[str, object] = {
            "round": 1,
            "one_time_recipient": str(ONE_TIME.recipient),
            "offer_sha256": self.offer.sha256,
            "deposits": len(self.offer.deposits),
            "epoch": 1,
            "k": 2,
            "recipient_sha256": sha256_hex(self._recipient.encode()),
        }
        opened = self._event("confirmation:opened", "keyholder", opening)
        matter = ConfirmationSubject(
            agreement_id=AGREEMENT,
            version=1,
            text_sha256=self.cast.agreement.text_sha256,
            request_id=REQUEST,
            request_act_sha256=self.request_sha256,
            condition=CONDITION,
            bundle=self.offer.bundle,
            recipient=self._recipient,
            offer_sha256=self.offer.sha256,
            opened_entry_sha256=opened,
            ledger_head=opened,
            expires_at=AT + timedelta(days=7),
            shares=(),
        )
        for who, file in zip(AGENTS, self.sealed.files, strict=True):
            share = SealedShare(1, int(who[-1]), sha256_hex(file))
            own = replace(matter, shares=(share,)).to_json()
            self._act("confirm-release", who, own, "confirmation:given")

    def _intend(self) -> None:
        data: dict[str, object] = {
            "head": sha256_hex(self.entries[-1]),
            "approved_by": "consent",
            "approved_at": rfc3339(_moment(1)),
            "decided_at": rfc3339(_moment(5)),
            "opened_entry_sha256": sha256_hex(self.entries[2]),
            "offer_sha256": self.offer.sha256,
            "confirmations": list(self._confirmed),
        }
        self._event("release:intended", "keyholder", data)

    def _execute(self) -> SignedDocument:
        stamp = Stamp("Trial Escrow", "demo", "1.0")
        statement = release_statement(stamp, self.facts)
        signed = sign_statement(statement, named_key("vector/keyholder"))
        data: dict[str, object] = {
            "statement_sha256": signed.statement_sha256,
            "parts": len(self.offer.sent_parts()),
        }
        self._event("release:executed", "keyholder", data)
        return signed.with_proof(self.chain.proof)

    def _on_request(self, **more: object) -> dict[str, object]:
        return act_subject(AGREEMENT, REQUEST, self.request_sha256, **more)

    def _act(self, name: str, who: str, subject: Mapping[str, object], event: str = "") -> None:
        key = self.cast.signing_key(who)
        payload = canonical_json(
            {
                "v": 1,
                "act": name,
                "subject": dict(subject),
                "key": str(key.public),
                "nonce": sha256_hex(f"{name} {who}".encode()),
                "at": rfc3339(AT),
            }
        )
        envelope = sign_act(payload, key)
        self.acts[f"{name} {who}" if name == "confirm-release" else name] = envelope
        if event:
            data = {"act": envelope.to_json(), "act_sha256": sha256_hex(payload)}
            self._event(event, "portal", data)

    def _event(self, name: str, role: Role, data: Mapping[str, object]) -> Sha256Hex:
        place = len(self.entries)
        event = Event(
            stream=STREAM,
            sequence=place,
            previous=sha256_hex(self.entries[-1]) if place else None,
            type=f"releases:{name}",
            role=role,
            actor=role if role == "keyholder" else "tok_01",
            at=_moment(place),
            nonce=f"{place:064x}",
            data={"request_id": REQUEST, **data},
        )
        self.entries.append(sign_entry(event, named_key(f"vector/{role}")))
        return sha256_hex(self.entries[-1])


def trust_root() -> TrustRoot:
    """Return the public keys under which the vectors hold."""
    return TrustRoot(
        service="Trial Escrow",
        environment="demo",
        log=named_key("vector/log").public,
        leaf=named_key("vector/leaf").public,
        roles={one: named_key(f"vector/{one}").public for one in ("keyholder", "portal")},
    )


def vectors(sealed: Sealed) -> dict[str, object]:
    """Return the whole file."""
    made = Recording(sealed)
    return {
        "format": "escrow-release-vectors/1",
        "note": "Every key here is a test key, made from a name; none guards anything.",
        "agreement_text": made.cast.text,
        "trust_root": json.loads(trust_root().to_json()),
        "acts": {name: one.to_json() for name, one in made.acts.items()},
        "offer": made.offer.to_bytes().decode(),
        "offer_sha256": made.offer.sha256,
        "one_time_seed": ONE_TIME.seed.hex(),
        "one_time_recipient": str(ONE_TIME.recipient),
        "shares": [
            {"index": index, "share": share.hex(), "file": base64.b64encode(file).decode()}
            for index, share, file in zip((1, 3), sealed.shares, sealed.files, strict=True)
        ],
        "sealing_seed": hashlib.sha256(b"vector/sealing").hexdigest(),
        "chain": made.chain.to_json(),
        "header": {
            "identity": made.cast.identity("beneficiary_primary").reveal(),
            "file_key": FILE_KEY.raw.hex(),
            "header": sealed.header.decode(),
        },
        "certificate": json.loads(made.certificate.to_json()),
    }


def _offer(bundle: tuple[str, ...]) -> Offer:
    part = OfferedPart("dep_01", "prt_01", "source", "cd" * 32, 400, opens=True)
    older = OfferedPart("dep_00", "prt_00", "source", "ef" * 32, 300, opens=False)
    sealed_at = rfc3339(datetime.combine(date(2026, 1, 1), datetime.min.time(), UTC))
    deposit = OfferedDeposit("prd_01", "dep_01", 1, sealed_at, "pass", "build", (part, older))
    return Offer(AGREEMENT, REQUEST, bundle, (deposit,), ("dep_01",), ("dep_01",))


def _moment(place: int) -> datetime:
    return AT + timedelta(minutes=place)


def main(path: str) -> None:
    """Write the file of vectors, with everything sealed anew."""
    text = json.dumps(vectors(Sealed.fresh()), indent=1, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
