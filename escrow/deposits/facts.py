"""What the receipt and the ledger say of a deposit, drawn from its rows; pure.

The receipt is the vendor's and names everything. The ledger's event holds ids, the digests of
sealed payloads, and salted commitments to the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from escrow.deposits.records import Deposit, Part
from escrow.evidence.receipts import (
    AgreementFacts,
    ClientSealFacts,
    DepositFacts,
    GitFacts,
    PartFacts,
    part_commitment,
)
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream


class AgreementTerms(Protocol):
    """What the intake has to know of an agreement in force (the register's own type has it)."""

    @property
    def agreement_id(self) -> AgreementId:
        """Its id."""
        ...

    @property
    def version(self) -> int:
        """The version in force."""
        ...

    @property
    def k(self) -> int:
        """Agents needed for a release."""
        ...

    @property
    def n(self) -> int:
        """Agents."""
        ...

    @property
    def custody(self) -> str:
        """``sealed`` or ``standing``."""
        ...

    @property
    def text(self) -> str:
        """The text of the version."""
        ...


def deposit_facts(
    deposit: Deposit,
    address: str,
    parts: Sequence[Part],
    origins: Mapping[str, str],
    agreements: Sequence[AgreementTerms],
    agents: Mapping[AgreementId, Mapping[str, object] | None],
    not_served: tuple[AgreementId, ...] = (),
) -> DepositFacts:
    """Return the facts of a deposit that is being sealed.

    Args:
        deposit: with number and time of sealing.
        address: ``vendor/product``.
        parts: sent and carried.
        origins: for each part carried from, the deposit in which it came.
        agreements: that it serves.
        not_served: in force now, and not served by a deposit that its vendor sealed for one.
    """
    if deposit.number is None or deposit.sealed_at is None:
        raise ValueError("the deposit is not sealed")
    sent = [part.as_of for part in parts if part.carried_from is None]
    return DepositFacts(
        product=address,
        product_id=deposit.product_id,
        deposit_id=deposit.id,
        number=deposit.number,
        via=deposit.via,
        received_at=max(sent),
        sealed_at=deposit.sealed_at,
        parts=tuple(_part_facts(part, origins) for part in parts),
        agreements=tuple(_agreement_facts(one, agents.get(one.agreement_id)) for one in agreements),
        not_served=not_served,
    )


def sealed_event(
    facts: DepositFacts, salt: str, statement_sha256: Sha256Hex, actor: str
) -> NewEvent:
    """Return the event by which a deposit comes to be."""
    data = {
        "deposit_id": facts.deposit_id,
        "number": facts.number,
        "via": facts.via,
        "agreements": [[one.id, one.version] for one in facts.agreements],
        "parts": [
            {
                "part_id": part.id,
                "payload_sha256": part.payload_sha256,
                "payload_size_bytes": part.payload_size_bytes,
                "commitment": part_commitment(salt, part),
                "carried_from": part.carried_from,
                **({"client_sealed": part.client_seal.to_event()} if part.client_seal else {}),
            }
            for part in facts.parts
        ],
        "statement_sha256": statement_sha256,
    }
    stream = Stream("product", facts.product_id)
    return NewEvent(stream, "deposits:deposit:sealed", actor, data)


def _part_facts(part: Part, origins: Mapping[str, str]) -> PartFacts:
    return PartFacts(
        id=part.id,
        name=part.name,
        kind=part.kind,
        media=part.media,
        size_bytes=part.size_bytes,
        sha256=part.sha256,
        encoding=part.encoding,
        payload_sha256=part.payload_sha256,
        payload_size_bytes=part.payload_size_bytes,
        as_of=part.as_of,
        carried_from=origins[part.carried_from] if part.carried_from else None,
        git=_git_facts(part.git) if part.git else None,
        client_seal=_client_seal(part),
    )


def _client_seal(part: Part) -> ClientSealFacts | None:
    if part.client_agreement_id is None or part.client_epoch is None:
        return None
    return ClientSealFacts(part.client_agreement_id, part.client_epoch, part.client_header_sha256)


def _git_facts(git: Mapping[str, Any]) -> GitFacts:
    return GitFacts(
        refs=git["refs"],
        head_commit=git["head_commit"],
        pack_sha256=git["pack_sha256"],
        repository=git["repository"],
    )


def _agreement_facts(
    agreement: AgreementTerms, agents: Mapping[str, object] | None
) -> AgreementFacts:
    return AgreementFacts(
        id=agreement.agreement_id,
        version=agreement.version,
        text_sha256=sha256_hex(agreement.text.encode()),
        k=agreement.k,
        n=agreement.n,
        custody=agreement.custody,
        agents=agents,
    )
