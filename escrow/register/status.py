"""Where a version of an agreement stands, and what is still missing; pure.

draft → accepted (every party signed) → in force (keys counted, recipients proven). A version that
came into force stays so until a newer one does; nothing that expires later takes it back silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agreements.terms import Agreement, Party, Role, Signatory

Standing = Literal["draft", "accepted", "in-force", "superseded"]
Need = Literal["acceptance", "recipient-proof", "ceremony", "canary"]


@dataclass(frozen=True)
class Missing:
    """One thing that stands between an agreement and its force.

    Attributes:
        what: one sentence: what is to be done, with the command.
        who: whose turn it is: person and organisation, or the administrator.
        organisation: short name of that organisation; None for the administrator.
    """

    need: Need
    what: str
    who: str
    organisation: str | None


@dataclass(frozen=True)
class KeySetup:
    """The newest sealing key as it was dealt, and who opened its canary outside the keyholder.

    Attributes:
        share_recipients: the agents' age keys to which the shares were sealed.
        opened_by: signing keys of agents whose opening of the canary was verified.
    """

    epoch: int
    k: int
    share_recipients: tuple[str, ...]
    opened_by: frozenset[str]


@dataclass(frozen=True)
class Progress:
    """What has happened to one version so far.

    Attributes:
        accepted_by: signing keys that signed this version.
        proven_recipients: age keys that opened their canary.
        is_in_force: it came into force once.
        is_superseded: a newer version came into force, or took its place before it did.
        governing: the text in force that this version is to replace.
    """

    accepted_by: frozenset[str]
    proven_recipients: frozenset[str]
    key_setup: KeySetup | None
    is_in_force: bool = False
    is_superseded: bool = False
    governing: Agreement | None = None


@dataclass(frozen=True)
class AgreementStatus:
    """The standing of a version and, unless it is in force or gone, what it lacks."""

    standing: Standing
    missing: tuple[Missing, ...]


def status_of(agreement: Agreement, progress: Progress) -> AgreementStatus:
    """Return where the version stands; a pure rule over values.

    The order of ``missing`` is the order in which the steps are usually done.
    """
    if progress.is_superseded:
        return AgreementStatus("superseded", ())
    if progress.is_in_force:
        return AgreementStatus("in-force", ())
    signatures = (
        *_missing_acceptances(agreement, progress.accepted_by),
        *_missing_consents(agreement, progress.accepted_by, progress.governing),
    )
    rest = (
        *_missing_proofs(agreement, progress.proven_recipients),
        *_missing_keys(agreement, progress.key_setup),
    )
    if signatures:
        return AgreementStatus("draft", (*signatures, *rest))
    return AgreementStatus("accepted" if rest else "in-force", rest)


def is_dealt_for(setup: KeySetup, agreement: Agreement) -> bool:
    """Return whether the shares were dealt with this version's k to exactly its agents."""
    wanted = {agent.share_recipient for agent in agreement.agents}
    return setup.k == agreement.sealing.k and set(setup.share_recipients) == wanted


def _missing_acceptances(agreement: Agreement, accepted_by: frozenset[str]) -> Iterator[Missing]:
    for party in _parties(agreement):
        if not is_bound(party, accepted_by):
            yield _acceptance_of(party, accepted_by)
    for agent in agreement.signers("agent"):
        if agent.signing_key not in accepted_by:
            yield Missing(
                "acceptance",
                "Accept the agreement with your own key: escrow agreement accept.",
                f"agent {agent.name} of {agent.organisation}",
                agent.organisation,
            )


def _missing_consents(
    agreement: Agreement, accepted_by: frozenset[str], governing: Agreement | None
) -> Iterator[Missing]:
    """Yield the parties of the text in force that no person of theirs has bound to the new one."""
    for party in _parties(governing) if governing else ():
        same = agreement.party(party.organisation)
        # Where a party keeps its persons, their acceptance is asked for once.
        if (same is None or same.persons != party.persons) and not is_bound(party, accepted_by):
            yield _acceptance_of(party, accepted_by, ", as the text in force names you")


def have_accepted(agreement: Agreement, accepted_by: frozenset[str]) -> bool:
    """Tell whether everybody whom a text names has accepted it: every party, every agent."""
    return not any(_missing_acceptances(agreement, accepted_by))


def are_bound(agreement: Agreement, accepted_by: frozenset[str]) -> bool:
    """Tell whether every party of a text is bound by its own persons, as this text pins them."""
    return all(is_bound(party, accepted_by) for party in _parties(agreement))


def _parties(agreement: Agreement) -> tuple[Party, ...]:
    return (agreement.vendor, *agreement.beneficiaries)


def is_bound(party: Party, accepted_by: frozenset[str]) -> bool:
    """Return whether the party is bound: one who signs alone, or two who sign jointly.

    Args:
        accepted_by: signing keys of everybody who accepted.
    """
    signed = [person for person in party.persons if person.signing_key in accepted_by]
    alone = any(person.signs == "single" for person in signed)
    # Whoever could sign alone would have bound the party, so the rest here sign jointly.
    return alone or len(signed) > 1


def _acceptance_of(party: Party, accepted_by: frozenset[str], how: str = "") -> Missing:
    waiting = [person for person in party.persons if person.signing_key not in accepted_by]
    names = " or ".join(person.name for person in waiting)
    second = " as the second who signs jointly" if len(waiting) < len(party.persons) else ""
    return Missing(
        "acceptance",
        f"Accept the agreement with your own key{second}{how}: escrow agreement accept.",
        f"{names} of {party.organisation}",
        party.organisation,
    )


def _missing_proofs(agreement: Agreement, proven: frozenset[str]) -> Iterator[Missing]:
    for party in agreement.beneficiaries:
        names = " or ".join(person.name for person in party.persons)
        for one in party.recipients:
            if one.recipient not in proven:
                yield Missing(
                    "recipient-proof",
                    f"Prove that the {one.kind} recipient opens what is sealed to it: "
                    "escrow agreement prove-recipient.",
                    f"{names} of {party.organisation}",
                    party.organisation,
                )


def _missing_keys(agreement: Agreement, setup: KeySetup | None) -> Iterator[Missing]:
    if setup is None or not is_dealt_for(setup, agreement):
        yield Missing(
            "ceremony",
            "Have the sealing key dealt to the agents: escrow ceremony hold.",
            "the administrator, or an agent",
            None,
        )
    elif not setup.opened_by & {one.signing_key for one in agreement.signers("agent")}:
        yield Missing(
            "canary",
            f"Let {agreement.sealing.k} agents contribute their canary shares, and one of them "
            "open the canary: escrow ceremony contribute, then open-canary.",
            _names(agreement.signers("agent")),
            None,
        )


def _names(people: tuple[Signatory, ...]) -> str:
    return "the agents " + ", ".join(f"{one.name} of {one.organisation}" for one in people)


def roles_of(agreement: Agreement, organisation: str) -> tuple[Role, ...]:
    """Return the roles in which an organisation's people stand in the agreement."""
    found = {one.role for one in agreement.signatories() if one.organisation == organisation}
    return tuple(sorted(found))
