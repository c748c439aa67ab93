"""The form of an agreement file, format ``escrow-agreement/1``, as data on one page.

The parser and the published JSON Schema are both made from :data:`AGREEMENT`. Rules that need two
places of a file at once stand in ``people_rules.py`` and ``term_rules.py``.
"""

from __future__ import annotations

from typing import Any, get_args

from agreements.conditions import CONDITION_TYPES, EVIDENCE_TYPES
from agreements.disclosure import DISCLOSURE_CLASSES, DOCUMENT_KINDS, complete_disclosure
from agreements.shapes import Choice, Field, ListOf, Shape, Table, Text, Whole, YesNo
from agreements.terms import (
    Agent,
    Bundle,
    Condition,
    Contact,
    Custody,
    DisclosureClass,
    DisputeTerms,
    EndingTerms,
    MaterialTerms,
    Party,
    Person,
    ProductTerms,
    Recipient,
    RequestTerms,
    Sealing,
    VerificationTerms,
)

FORMAT = "escrow-agreement/1"

LEVELS = ("received", "integrity", "inventory", "build", "equivalence", "run", "redeploy")
"""The verification ladder; each level includes those before it."""

MATERIAL_KINDS = (
    "source",
    "data",
    "docs",
    "artifacts",
    "images",
    "environment",
    "credentials",
    "models",
)

# A name or address that is longer does not fit a certificate's line.
_MAX_NAME = 200
# The longest address that mail servers take (RFC 5321, section 4.5.3.1.3).
_MAX_EMAIL = 254
# A condition is a clause of a contract: some pages at most.
_MAX_CLAUSE = 10_000
# People of one party; a longer list belongs into a register of the party's own.
_MAX_PEOPLE = 50
# Every agent is one share file, one acceptance and one header to re-wrap; boards are smaller.
_MAX_AGENTS = 32
_MAX_BENEFICIARIES = 200
_MAX_PRODUCTS = 100
_MAX_MATERIALS = 50
_MAX_CONDITIONS = 50
# Yearly deposits are the slowest cadence seen in published agreements; two years of room.
_MAX_DAYS = 731
# A vendor who may object for longer than this leaves the beneficiary without service.
_MAX_OBJECTION_DAYS = 90
# Promise: no deposit is passed over for more than a day.
_MAX_AGE_HOURS = 24
# A lane that lives for longer than a week makes "sealed" an empty word.
_MAX_LANE_HOURS = 168

# As the service's addresses take them: '..' and '.git' would change what an address means.
_SLUG = r"(?!.*\.\.)(?!.*\.git$)[a-z0-9](?:[a-z0-9._\-]{0,62}[a-z0-9])?"
_EMAIL = r"[^\s@<>\",;:()\[\]\\]+@[^\s@<>\",;:()\[\]\\.]+(?:\.[^\s@<>\",;:()\[\]\\.]+)+"
# 32 bytes in base64 leave two unused bits in the last letter; they must be zero, so that one key
# has one text and nobody can stand in an agreement twice with "different" keys.
_ED25519 = r"ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_BECH32 = "[qpzry9x8gf2tvdw0s3jn54khce6mua7l]"
# age1 + 52 characters of an X25519 key + 6 of checksum; age1pq1 + 1216 bytes of ML-KEM-768 and
# X25519 keys in 1946 characters + 6 of checksum.
_X25519_RECIPIENT = f"age1{_BECH32}{{58}}"
_HYBRID_RECIPIENT = f"age1pq1{_BECH32}{{1952}}"
_MAX_RECIPIENT = 2_000


def _name(what: str = "a name") -> Text:
    return Text(_MAX_NAME, what)


_SLUG_TEXT = Text(
    64,
    "a short name that can stand in an address",
    _SLUG,
    "Use 1 to 64 of a-z, 0-9, '.', '-', '_', from letter or digit to letter or digit, no '.git'.",
)
_EMAIL_TEXT = Text(
    _MAX_EMAIL, "an e-mail address", _EMAIL, 'Write it as "name@example.com", without <>.'
)
_KEY_TEXT = Text(
    60,
    "an Ed25519 public key",
    _ED25519,
    "Copy the line 'ed25519:…' that 'escrow keys show' prints.",
)
_RECIPIENT_TEXT = Text(
    _MAX_RECIPIENT,
    "an age public key",
    f"{_X25519_RECIPIENT}|{_HYBRID_RECIPIENT}",
    "Copy the whole line 'age1…' that 'age-keygen -y' prints; never the AGE-SECRET-KEY.",
)
_CONTACT = Table(Contact, {"name": Field(_name(), "name"), "email": Field(_EMAIL_TEXT, "e-mail")})

_PERSON = Table(
    Person,
    {
        "name": Field(_name(), "name of the authorised person"),
        "email": Field(_EMAIL_TEXT, "e-mail of the authorised person"),
        "signing_key": Field(_KEY_TEXT, "the person's own Ed25519 public key"),
        "signs": Field(
            Choice(("single", "joint"), "a signing power"),
            "whether the person binds the party alone or together with another",
            required=False,
            default="single",
        ),
    },
)

_RECIPIENT = Table(
    Recipient,
    {
        "kind": Field(Choice(("primary", "recovery"), "a kind of recipient"), "kind"),
        "recipient": Field(_RECIPIENT_TEXT, "age public key that a release is sealed to"),
    },
)

_PARTY_FIELDS = {
    "organisation": Field(_SLUG_TEXT, "the organisation's short name in this service"),
    "name": Field(_name(), "full legal name"),
    "legal_id": Field(_name("a register number"), "register and number, or LEI"),
    "contacts": Field(ListOf(_CONTACT, 1, _MAX_PEOPLE), "who is served with notices"),
    "persons": Field(ListOf(_PERSON, 1, _MAX_PEOPLE), "who may sign for the party"),
}

_VENDOR = Table(Party, _PARTY_FIELDS)

_BENEFICIARY = Table(
    Party,
    _PARTY_FIELDS
    | {"recipients": Field(ListOf(_RECIPIENT, 1, 10), "age keys that a release is sealed to")},
)

_AGENT = Table(
    Agent,
    {
        "name": Field(_name(), "name of the agent, a natural person"),
        "organisation": Field(_SLUG_TEXT, "short name of the agent's organisation"),
        "email": Field(_EMAIL_TEXT, "the agent's direct e-mail address"),
        "signing_key": Field(_KEY_TEXT, "the agent's own Ed25519 public key"),
        "share_recipient": Field(_RECIPIENT_TEXT, "age public key the agent's share is sealed to"),
    },
)

# As the intake names parts: it stands in reports and in file names of a package.
_PART_NAME = Text(
    120,
    "a part's name",
    r"[A-Za-z0-9](?:[A-Za-z0-9._+ \-]{0,118}[A-Za-z0-9+])?",
    "Use letters, digits, spaces and '.', '_', '+', '-'.",
)

_MATERIAL = Table(
    MaterialTerms,
    {
        "kind": Field(Choice(MATERIAL_KINDS, "a kind of material"), "kind of part"),
        "name": Field(_PART_NAME, "name of the part, where there are several", required=False),
        "required": Field(YesNo(), "whether the vendor owes it", required=False, default=True),
        "max_age_days": Field(
            Whole(1, _MAX_DAYS, "days"), "greatest age of a carried part", required=False
        ),
    },
)

_PRODUCT = Table(
    ProductTerms,
    {
        "vendor": Field(_SLUG_TEXT, "the vendor's short name"),
        "product": Field(_SLUG_TEXT, "the product's short name"),
        "materials": Field(ListOf(_MATERIAL, 1, _MAX_MATERIALS), "what is to be deposited"),
    },
)

_VERIFICATION = Table(
    VerificationTerms,
    {
        "level": Field(Choice(LEVELS, "a verification level"), "level every deposit is to reach"),
        "max_age_hours": Field(
            Whole(1, _MAX_AGE_HOURS, "hours"),
            "longest wait of any deposit for its verification",
            required=False,
            default=24,
        ),
        "lane_hours": Field(
            Whole(1, _MAX_LANE_HOURS, "hours"),
            "time after which a deposit cannot be opened for verification any more",
            required=False,
            default=72,
        ),
    },
)


def _disclosure(**stated: tuple[DisclosureClass, ...] | None) -> object:
    return complete_disclosure(stated)


def _condition(*, curable: bool | None, cure_days: int | None, **rest: Any) -> Condition:  # noqa: ANN401
    """Make a condition, with what its registered type says where the file is silent."""
    known = CONDITION_TYPES.get(rest["type"])
    if curable is None:
        # A cure period without the word "curable" says that the ground can be cured.
        curable = cure_days is not None or bool(known and known.curable)
    if curable and cure_days is None and known:
        cure_days = known.cure_days
    return Condition(curable=curable, cure_days=cure_days, **rest)


_DISCLOSURE = Table(
    _disclosure,
    {
        kind: Field(
            ListOf(Choice(DISCLOSURE_CLASSES, "a disclosure class"), 0, len(DISCLOSURE_CLASSES)),
            f"who sees before a release: {holds}; the vendor always does",
            required=False,
        )
        for kind, holds in DOCUMENT_KINDS.items()
    },
)

_CONDITION = Table(
    _condition,
    {
        "type": Field(
            Choice(tuple(CONDITION_TYPES), "a registered condition"), "registered ground"
        ),
        "text": Field(Text(_MAX_CLAUSE), "the clause in words, binary and dated"),
        "evidence": Field(
            ListOf(Choice(tuple(EVIDENCE_TYPES), "a kind of evidence"), 0, len(EVIDENCE_TYPES)),
            "kinds of proof that a request must bring",
            required=False,
            default=(),
        ),
        "curable": Field(YesNo(), "whether the vendor may cure; else as the type", required=False),
        "cure_days": Field(
            Whole(1, _MAX_DAYS, "calendar days"),
            "calendar days to cure after service of the notice; else as the type",
            required=False,
        ),
        "frees": Field(
            ListOf(Choice(get_args(Bundle), "a bundle"), 1, len(get_args(Bundle))),
            "which bundles a release on this ground hands over",
        ),
        "permanence": Field(
            Choice(("permanent", "temporary"), "a permanence"),
            "whether what is released stays with the beneficiary",
            required=False,
            default="permanent",
        ),
        "speed": Field(
            Choice(("notice", "demand"), "a speed"),
            "whether the vendor may object first (notice) or not (demand)",
            required=False,
            default="notice",
        ),
    },
)

_BUSINESS_DAYS = Whole(0, 30, "business days")

_REQUESTS = Table(
    RequestTerms,
    {
        "agent_duty_business_days": Field(
            Whole(1, 30, "business days"), "time for an agent to do his duty", False, 2
        ),
        "deemed_service_business_days": Field(
            _BUSINESS_DAYS, "service at the registered office counts after this", False, 5
        ),
        "consent_revocable_business_days": Field(
            _BUSINESS_DAYS, "time in which a consent may be taken back", False, 1
        ),
    },
)

_ENDINGS = Table(
    EndingTerms,
    {
        "withdrawal_days": Field(
            Whole(7, 90, "days"),
            "days that a withdrawn deposit lies in quarantine before it is shredded",
            required=False,
            default=14,
        ),
        "destruction_grace_days": Field(
            Whole(30, 365, "days"),
            "days between the last service on a beneficiary and the agents' confirmation",
            required=False,
            default=30,
        ),
        # Twelve months: a claim over a release is often made long after the fact.
        "retention_months": Field(
            Whole(12, 600, "months"),
            "deposits older than this are dropped, never the last of a level; all kept without it",
            required=False,
            default=0,
        ),
    },
)

_DISPUTES = Table(
    DisputeTerms,
    {
        "resolver": Field(
            Choice(("court", "arbiter", "expert"), "a kind of decision maker"), "who decides"
        ),
        "name": Field(_name(), "name and seat of the court, arbiter or expert"),
    },
)

# Where the library's data ends is checked with the calendar itself, not by this pattern.
_CALENDAR: Shape = Text(
    16,
    "a business-day calendar",
    r"[A-Za-z0-9\-]+",
    'Name a country or a part of one, such as "DE", "GB-ENG" or "US-NY".',
)

_GENERAL = Table(
    dict,
    {
        "title": Field(_name("a title"), "title of the agreement"),
        "governing_law": Field(_name("a law"), "law that governs the agreement"),
        "language": Field(
            Text(12, "a language tag", r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?", 'Such as "en", "de".'),
            "language of the agreement and of its notices",
        ),
        "custody": Field(
            Choice(get_args(Custody), "a kind of custody"),
            "sealed: only k agents together open; standing: the service may open for "
            "re-verification, a release still needs k agents",
            required=False,
            default="sealed",
        ),
        "calendar": Field(_CALENDAR, "calendar in which business days are counted"),
        "objection_period_business_days": Field(
            Whole(1, _MAX_OBJECTION_DAYS, "business days"),
            "time for the vendor to object after service of a request",
        ),
        "cadence_days": Field(Whole(1, _MAX_DAYS, "days"), "longest time between two deposits"),
        "grace_days": Field(
            Whole(0, _MAX_DAYS, "days"), "days after that before the beneficiary is told"
        ),
    },
)

AGREEMENT = Table(
    dict,
    {
        "format": Field(Choice((FORMAT,), "the format's name"), "name and version of this format"),
        "agreement": Field(_GENERAL, "general terms"),
        "vendor": Field(_VENDOR, "who deposits"),
        "beneficiaries": Field(ListOf(_BENEFICIARY, 1, _MAX_BENEFICIARIES), "who may request"),
        "agents": Field(ListOf(_AGENT, 1, _MAX_AGENTS), "who hold the shares"),
        "sealing": Field(
            Table(Sealing, {"k": Field(Whole(1, _MAX_AGENTS), "agents needed to open")}),
            "how many agents open together",
        ),
        "products": Field(ListOf(_PRODUCT, 1, _MAX_PRODUCTS), "what is deposited"),
        "verification": Field(_VERIFICATION, "how deposits are verified"),
        "disclosure": Field(
            _DISCLOSURE,
            "who sees what before a release",
            required=False,
            default=complete_disclosure({}),
        ),
        "conditions": Field(ListOf(_CONDITION, 1, _MAX_CONDITIONS), "grounds for release"),
        "requests": Field(
            _REQUESTS, "clocks of a release request", required=False, default=RequestTerms()
        ),
        "endings": Field(
            _ENDINGS, "how deposits and the agreement end", required=False, default=EndingTerms()
        ),
        "disputes": Field(_DISPUTES, "who decides disputed facts", required=False),
    },
)
"""The whole file."""
