"""Who is told what concerns a whole agreement."""

from __future__ import annotations

from collections.abc import Iterator

from agreements.terms import Agreement
from escrow.notices.notices import Reader


def everybody(terms: Agreement) -> Iterator[tuple[Reader, str]]:
    """Yield every contact of the vendor and of each beneficiary, and the agents, each once."""
    parties = [
        (Reader.VENDOR, terms.vendor),
        *((Reader.BENEFICIARY, one) for one in terms.beneficiaries),
    ]
    for reader, party in parties:
        for address in dict.fromkeys(one.email for one in party.contacts):
            yield reader, address
    for agent in terms.agents:
        yield Reader.AGENT, agent.email
