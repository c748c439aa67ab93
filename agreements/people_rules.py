"""Rules about people: k of n, who may not be whom, who can sign, whose keys a release needs.

Every rule takes the agreement and the reading that it reports to. Values that were already
reported as missing or malformed are blank here, and no rule may report a blank a second time.
"""

from __future__ import annotations

from collections import Counter

from agreements.bech32 import holds_checksum
from agreements.positions import Path
from agreements.reading import Reading, shown
from agreements.terms import Agent, Agreement, Party, Person

# Two addresses survive one person's holiday, departure or broken mailbox.
_ADVISED_CONTACTS = 2


def check_people(agreement: Agreement, reading: Reading) -> None:
    """Report every broken rule and every trap about the people of an agreement."""
    for rule in (
        _check_quorum,
        _check_agents_organisations,
        _check_keys_once,
        _check_people_once,
        _check_parties_apart,
        _check_agents_independent,
        _check_signing_power,
        _check_contacts,
        _check_recipients,
        _check_recipients_once,
    ):
        rule(agreement, reading)


def _check_quorum(agreement: Agreement, reading: Reading) -> None:
    k, n, path = agreement.sealing.k, len(agreement.agents), ("sealing", "k")
    if not k or not n:
        return
    if k > n:
        reading.report(
            "k-over-n",
            path,
            f"k = {k} agents are needed to open, but only {n} are named.",
            f"Name at least {k + 1} agents, or lower k.",
        )
    elif k == 1:
        reading.report(
            "k-one",
            path,
            "With k = 1 a single agent could open every deposit alone.",
            "Set k to 2 or more; the usual terms are 2 of 3 and 3 of 5.",
        )
    elif k == n:
        reading.report(
            "k-equals-n",
            path,
            f"With k = n = {n} a single agent could block every release, or lose it for ever.",
            f"Name at least {k + 1} agents, or lower k.",
        )


def _check_agents_organisations(agreement: Agreement, reading: Reading) -> None:
    k, n = agreement.sealing.k, len(agreement.agents)
    if not 1 < k < n:
        return
    counts = Counter(agent.organisation for agent in agreement.agents if agent.organisation)
    last = {agent.organisation: at for at, agent in enumerate(agreement.agents)}
    for organisation, count in counts.items():
        can = [
            *(["open every deposit alone"] if count >= k else []),
            *(["block every release alone"] if count > n - k else []),
        ]
        if can:
            reading.report(
                "agents-concentrated",
                ("agents", last[organisation], "organisation"),
                f"{organisation} holds {count} of {n} shares and could {' and '.join(can)}.",
                f"Name agents of more organisations: each below {min(k, n - k + 1)}.",
                "warning",
            )


def _check_keys_once(agreement: Agreement, reading: Reading) -> None:
    _report_repeated(
        reading,
        [
            *(((*path, "signing_key"), one.signing_key) for path, one in _persons(agreement)),
            *(((*path, "signing_key"), one.signing_key) for path, one in _agents(agreement)),
        ],
        code="key-twice",
        what="This signing key",
        remedy="Every person makes a key of his own with 'escrow keys new'.",
    )


def _check_people_once(agreement: Agreement, reading: Reading) -> None:
    for people in (_persons(agreement), _agents(agreement)):
        _report_repeated(
            reading,
            [((*path, "email"), one.email.casefold()) for path, one in people],
            code="person-twice",
            what="A person with this e-mail address",
            remedy="Name each person once, with his own key and his own address.",
        )


def _check_parties_apart(agreement: Agreement, reading: Reading) -> None:
    names = [agreement.vendor.organisation] if agreement.vendor.organisation else []
    for at, party in enumerate(agreement.beneficiaries):
        if party.organisation in names:
            reading.report(
                "party-twice",
                ("beneficiaries", at, "organisation"),
                f"{party.organisation} is a party already.",
                "Name each organisation once: vendor and beneficiaries are different ones.",
            )
        elif party.organisation:
            names.append(party.organisation)


def _check_agents_independent(agreement: Agreement, reading: Reading) -> None:
    parties = [party for _, party in _parties(agreement)]
    organisations = {party.organisation for party in parties} - {""}
    staff = {
        *(contact.email.casefold() for party in parties for contact in party.contacts),
        *(person.email.casefold() for party in parties for person in party.persons),
    }
    for path, agent in _agents(agreement):
        if agent.organisation in organisations:
            place, why = "organisation", f"belongs to {agent.organisation}, a party"
        elif agent.email and agent.email.casefold() in staff:
            place, why = "email", "has the address of a party's staff"
        else:
            continue
        reading.report(
            "agent-of-party",
            (*path, place),
            f"The agent {shown(agent.name)} {why}.",
            "Name an independent person, who is no staff of vendor or beneficiary.",
        )


def _check_signing_power(agreement: Agreement, reading: Reading) -> None:
    for path, party in _parties(agreement):
        joint = [person for person in party.persons if person.signs == "joint"]
        if len(joint) == 1 and len(party.persons) == 1:
            reading.report(
                "nobody-can-sign",
                (*path, "persons", 0, "signs"),
                f"The only person of {party.organisation} signs jointly, with nobody.",
                'Name a second person, or write signs = "single".',
            )


def _check_contacts(agreement: Agreement, reading: Reading) -> None:
    for path, party in _parties(agreement):
        if 0 < len(party.contacts) < _ADVISED_CONTACTS:
            reading.report(
                "one-contact",
                (*path, "contacts"),
                f"Notices to {party.organisation} reach one address only.",
                f"Name at least {_ADVISED_CONTACTS} contacts; a lost notice may cost a right.",
                "warning",
            )


def _check_recipients(agreement: Agreement, reading: Reading) -> None:
    for path, text in _recipients(agreement):
        if text and not holds_checksum(text):
            reading.report(
                "malformed",
                path,
                f"The age key {shown(text)} has a typing mistake: its checksum does not hold.",
                "Copy the whole line 'age1…' again.",
            )
    for at, party in enumerate(agreement.beneficiaries):
        if party.recipients and all(one.kind for one in party.recipients):
            _check_recipient_kinds(party, ("beneficiaries", at, "recipients"), reading)


def _check_recipient_kinds(party: Party, path: Path, reading: Reading) -> None:
    kinds = Counter(one.kind for one in party.recipients)
    if kinds["primary"] != 1:
        reading.report(
            "primary-recipient",
            path,
            f"{party.organisation} has {kinds['primary']} primary recipients.",
            'Mark exactly one of its age keys as kind = "primary".',
        )
    if not kinds["recovery"]:
        reading.report(
            "no-recovery-recipient",
            path,
            f"If {party.organisation} loses its one key, a release to it can never be opened.",
            'Add one of kind = "recovery", whose secret key is kept elsewhere.',
            "warning",
        )
    # A file sealed to both would be no stronger than the classic key: age refuses to make one.
    if len({one.recipient.startswith("age1pq1") for one in party.recipients}) > 1:
        reading.report(
            "mixed-recipients",
            path,
            f"{party.organisation} mixes post-quantum and classic age keys.",
            "Use age1pq1… for both or age1… for both; one file cannot be sealed to the two kinds.",
        )


def _check_recipients_once(agreement: Agreement, reading: Reading) -> None:
    _report_repeated(
        reading,
        _recipients(agreement),
        code="recipient-twice",
        what="This age key",
        remedy="Use a key of its own here: a second copy of a key protects against nothing.",
    )


def _report_repeated(
    reading: Reading, values: list[tuple[Path, str]], *, code: str, what: str, remedy: str
) -> None:
    """Report every value that an earlier place already holds; blanks are no values."""
    first: dict[str, int] = {}
    for path, value in values:
        if value in first:
            reading.report(code, path, f"{what} stands in line {first[value]} already.", remedy)
        elif value:
            first[value] = reading.line(path)


def _parties(agreement: Agreement) -> list[tuple[Path, Party]]:
    beneficiaries = enumerate(agreement.beneficiaries)
    return [
        (("vendor",), agreement.vendor),
        *((("beneficiaries", at), party) for at, party in beneficiaries),
    ]


def _persons(agreement: Agreement) -> list[tuple[Path, Person]]:
    return [
        ((*path, "persons", at), person)
        for path, party in _parties(agreement)
        for at, person in enumerate(party.persons)
    ]


def _agents(agreement: Agreement) -> list[tuple[Path, Agent]]:
    return [(("agents", at), agent) for at, agent in enumerate(agreement.agents)]


def _recipients(agreement: Agreement) -> list[tuple[Path, str]]:
    """Return every age key of the agreement with its path: beneficiaries' and agents'."""
    owned = [
        ((*path, "recipients", at, "recipient"), one.recipient)
        for path, party in _parties(agreement)
        for at, one in enumerate(party.recipients)
    ]
    dealt = [((*path, "share_recipient"), one.share_recipient) for path, one in _agents(agreement)]
    return [*owned, *dealt]
