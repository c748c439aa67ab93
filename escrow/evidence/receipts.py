"""The deposit receipt: what was received, when, and which agreements it serves.

It is the vendor's: it names parts, digests and commits in the clear. Its salt makes the digest
of the statement, which the ledger holds, unguessable, and opens the commitments to its parts.
Guarantees: the same facts and salt give the same bytes, so a receipt can be made again after a
crash. It says nothing on whether the deposit builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escrow.evidence.statements import RECEIPT_TYPE, Stamp, statement
from escrow.ground.clock import rfc3339
from escrow.ground.digests import Sha256Hex, commitment

RECEIPT_VERSION = 1

# What every paper says of a part that only its vendor and, together, the agents can open.
NOT_VERIFIABLE = "received, not verifiable"


@dataclass(frozen=True)
class GitFacts:
    """What a source part says about its repository.

    Args:
        refs: full ref name to commit id.
        head_commit: commit that counts for the build; None when several refs came and none leads.
        pack_sha256: digest of the pack as received.
        repository: slug of the product's repository.
    """

    refs: Mapping[str, str]
    head_commit: str | None
    pack_sha256: str
    repository: str | None = None


@dataclass(frozen=True)
class ClientSealFacts:
    """What is known of a part that its vendor sealed himself.

    Args:
        agreement_id: the one agreement that it serves.
        epoch: of the sealing key that he named.
        header_sha256: of the header as he made it; None where the part is carried forward.
    """

    agreement_id: str
    epoch: int
    header_sha256: str | None

    def to_event(self) -> dict[str, object]:
        """Return the form in the ledger's event."""
        return {
            "agreement_id": self.agreement_id,
            "epoch": self.epoch,
            "header_sha256": self.header_sha256,
        }


@dataclass(frozen=True)
class PartFacts:
    """One part as received.

    Args:
        id: of the part.
        name: unique in its kind.
        kind: source, data, docs, …
        media: git-bundle, tar, file, …
        size_bytes: of the part as received: the plaintext, or the age file that its vendor made.
        sha256: of the same.
        encoding: identity or zstd, of the payload inside the seal.
        payload_sha256: of the sealed payload.
        payload_size_bytes: of the sealed payload.
        as_of: when this part was really received (earlier than the deposit when carried).
        carried_from: deposit id, when the part was not sent this time.
        git: for parts out of a repository.
        client_seal: where the vendor sealed it himself.
    """

    id: str
    name: str
    kind: str
    media: str
    size_bytes: int
    sha256: str
    encoding: str
    payload_sha256: str
    payload_size_bytes: int
    as_of: datetime
    carried_from: str | None = None
    git: GitFacts | None = None
    client_seal: ClientSealFacts | None = None


@dataclass(frozen=True)
class AgreementFacts:
    """An agreement in force that the deposit serves.

    Args:
        id: of the agreement.
        version: its version number.
        text_sha256: digest of that version's text.
        k: agents needed for a release.
        n: agents.
        custody: sealed or standing.
        agents: how many of the agents are known to hold their shares, and which organisation alone
            could open or block; None where no key counts.
    """

    id: str
    version: int
    text_sha256: str
    k: int
    n: int
    custody: str
    agents: Mapping[str, object] | None = None


@dataclass(frozen=True)
class DepositFacts:
    """One sealed deposit.

    Args:
        product: ``vendor/product`` as people write it.
        product_id: of the product.
        deposit_id: of the deposit.
        number: in the product, without gaps.
        via: git or upload.
        received_at: when the last byte had come.
        sealed_at: when everything was stored and logged.
        parts: at least one.
        agreements: in force at that time, and served.
        not_served: ids of those in force that a client-sealed deposit does not serve.
    """

    product: str
    product_id: str
    deposit_id: str
    number: int
    via: str
    received_at: datetime
    sealed_at: datetime
    parts: tuple[PartFacts, ...]
    agreements: tuple[AgreementFacts, ...] = field(default=())
    not_served: tuple[str, ...] = ()

    @property
    def smallest_k(self) -> int | None:
        """The least number of agents that can open the one payload; None without agreement."""
        return min((one.k for one in self.agreements), default=None)


def receipt_statement(stamp: Stamp, deposit: DepositFacts, salt: str) -> bytes:
    """Return the bytes of a receipt, ready to be logged (by digest) and signed.

    Args:
        stamp: of this installation.
        deposit: what was sealed.
        salt: from :func:`escrow.ground.digests.new_salt`, kept with the deposit.
    """
    subjects = [(f"{part.kind}/{part.name}", part.sha256) for part in deposit.parts]
    return statement(subjects, RECEIPT_TYPE, _predicate(stamp, deposit, salt))


def part_commitment(salt: str, part: PartFacts) -> Sha256Hex:
    """Return the commitment by which the ledger may name a part outside the vendor's class."""
    return commitment(
        salt,
        {
            "part": part.id,
            "sha256": part.sha256,
            "size_bytes": part.size_bytes,
            "payload_sha256": part.payload_sha256,
        },
    )


def _predicate(stamp: Stamp, deposit: DepositFacts, salt: str) -> dict[str, object]:
    return {
        "v": RECEIPT_VERSION,
        "service": stamp.to_json(),
        "salt": salt,
        "product": {"id": deposit.product_id, "name": deposit.product},
        "deposit": {
            "id": deposit.deposit_id,
            "number": deposit.number,
            "productId": deposit.product_id,
            "via": deposit.via,
            "receivedAt": rfc3339(deposit.received_at),
            "sealedAt": rfc3339(deposit.sealed_at),
        },
        "parts": [_part(salt, one) for one in deposit.parts],
        "agreements": [_agreement(one) for one in deposit.agreements],
        "smallestK": deposit.smallest_k,
        **({"notServed": list(deposit.not_served)} if deposit.not_served else {}),
    }


def _part(salt: str, part: PartFacts) -> dict[str, object]:
    return {
        "id": part.id,
        "kind": part.kind,
        "name": part.name,
        "media": part.media,
        "sizeBytes": part.size_bytes,
        "sha256": part.sha256,
        "encoding": part.encoding,
        "payloadSha256": part.payload_sha256,
        "payloadSizeBytes": part.payload_size_bytes,
        "asOf": rfc3339(part.as_of),
        "carriedFrom": part.carried_from,
        "commitment": part_commitment(salt, part),
        "git": part.git and _git(part.git),
        **({"clientSealed": _client_seal(part.client_seal)} if part.client_seal else {}),
    }


def _client_seal(seal: ClientSealFacts) -> dict[str, object]:
    return {
        "agreement": seal.agreement_id,
        "epoch": seal.epoch,
        "headerSha256": seal.header_sha256,
        "verification": NOT_VERIFIABLE,
    }


def _git(git: GitFacts) -> dict[str, object]:
    return {
        "repository": git.repository,
        "refs": dict(git.refs),
        "headCommit": git.head_commit,
        "packSha256": git.pack_sha256,
    }


def _agreement(agreement: AgreementFacts) -> dict[str, object]:
    return {
        "id": agreement.id,
        "version": agreement.version,
        "textSha256": agreement.text_sha256,
        "k": agreement.k,
        "n": agreement.n,
        "custody": agreement.custody,
        **({"agents": dict(agreement.agents)} if agreement.agents else {}),
    }
