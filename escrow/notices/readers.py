"""Who is told what concerns a whole agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agreements.terms import Agreement
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader


def everybody(terms: Agreement) -> Iterator[tuple[Reader, str]]:
    """Yield each address that an agreement names, once for each capacity."""
    told = [(Reader.VENDOR, one.email) for one in terms.vendor.contacts]
    told += [
        (Reader.BENEFICIARY, one.email) for party in terms.beneficiaries for one in party.contacts
    ]
    told += [(Reader.AGENT, agent.email) for agent in terms.agents]
    yield from dict.fromkeys(told)


def letters_to(
    readers: Iterable[tuple[Reader, str]],
    terms: Agreement,
    agreement_id: AgreementId,
    *,
    about: str,
    kind: Kind,
    path: str,
    last_day: LastDay | None = None,
) -> Iterator[NoticeToSend]:
    """Yield the same notice for each reader, in the agreement's language.

    Args:
        readers: capacity and address of each.
        about: what is told, in words and ids: each reader is told it once.
        path: below the service's own address.
    """
    for reader, address in readers:
        yield NoticeToSend(
            key=f"{about}:{reader}:{short_of(address)}",
            kind=kind,
            reader=reader,
            to=address,
            agreement_id=agreement_id,
            last_day=last_day,
            path=path,
            language=terms.language,
        )


def short_of(address: str) -> str:
    """Return what stands for an address in the key of a notice."""
    return sha256_hex(address.encode())[:16]
