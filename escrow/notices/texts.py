"""The words of every notice. One table for each language; a letter has nothing else in it.

Guarantees: every kind has a sentence on what happened, and one for each reader on what he has to
do, so that nobody is told "see attachment". The texts name no evidence, statement, product or
file: whoever reads a mail on its way learns that there is a request, and nothing of its matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from escrow.notices.notices import DEFAULT_LANGUAGE, Kind, Reader

_NOTHING = "Nothing. You are told so that you know."


@dataclass(frozen=True)
class Wording:
    """The words of one kind.

    Args:
        subject: begins with a capital letter, without a full stop.
        happened: one or two sentences.
        to_do: for each reader, what he has to do.
    """

    subject: str
    happened: str
    to_do: Mapping[Reader, str]


@dataclass(frozen=True)
class Language:
    """Everything that is said in one language.

    Args:
        wordings: one for each kind.
        trial: said first where the service is no production; ``{environment}`` is its name.
        labels: of the lines with values.
        calendar: how a computed day is explained; ``{calendar}`` is the calendar's code.
        days_end: when a last day has passed.
        closing: said last in every letter.
    """

    wordings: Mapping[Kind, Wording]
    trial: str
    labels: Mapping[str, str]
    calendar: str
    days_end: str
    closing: str


def _told(
    *, vendor: str = _NOTHING, beneficiary: str = _NOTHING, agent: str = _NOTHING
) -> Mapping[Reader, str]:
    return MappingProxyType(
        {Reader.VENDOR: vendor, Reader.BENEFICIARY: beneficiary, Reader.AGENT: agent}
    )


_ENGLISH: Mapping[Kind, Wording] = MappingProxyType(
    {
        Kind.RELEASE_REQUEST_FILED: Wording(
            "Release request filed",
            "A beneficiary has filed a release request under this agreement.",
            _told(
                vendor="Read the request and acknowledge its service with your own key. Then "
                "consent to it, or file contrary instructions. Your period begins when you "
                "acknowledge, or when an agent states with proof that you were served.",
                agent="See that the vendor is served. Where the vendor does not acknowledge it, "
                "state the service with its proof, signed with your own key.",
            ),
        ),
        Kind.SERVICE_STATED: Wording(
            "Service of the release request stated",
            "The service of the release request on the vendor is proven, and a period runs.",
            _told(
                vendor="Consent to the request, or file contrary instructions signed with your "
                "own key, before the last day has ended. Silence until then lets the release go "
                "on.",
                agent="Nothing before the last day has ended. If contrary instructions reach you "
                "by any other channel, you may not confirm.",
            ),
        ),
        Kind.CURE_PERIOD_BEGUN: Wording(
            "Period to cure begun",
            "The service of the release request on the vendor is proven. What it is based on can "
            "be cured, and the period for that runs.",
            _told(
                vendor="Cure it before the last day has ended, and agree with the beneficiary "
                "that the request is withdrawn; or consent; or file contrary instructions signed "
                "with your own key.",
                beneficiary="If it is cured, withdraw the request.",
            ),
        ),
        Kind.OBJECTION_PERIOD_BEGUN: Wording(
            "Period for contrary instructions begun",
            "The period to cure has ended, and the period for contrary instructions runs.",
            _told(
                vendor="Consent to the request, or file contrary instructions signed with your "
                "own key, before the last day has ended. Silence until then lets the release go "
                "on.",
                agent="Nothing before the last day has ended. If contrary instructions reach you "
                "by any other channel, you may not confirm.",
            ),
        ),
        Kind.CONTRARY_INSTRUCTIONS_FILED: Wording(
            "Contrary instructions filed",
            "The vendor has filed contrary instructions in time. The release does not go on.",
            _told(
                vendor="Nothing, if it was you. If it was not, tell the service at once.",
                beneficiary="Read them. The vendor may still consent, you may withdraw the "
                "request, or the matter goes to whoever decides under your agreement.",
                agent="Do not confirm.",
            ),
        ),
        Kind.LATE_INSTRUCTIONS_FILED: Wording(
            "Contrary instructions filed after the period",
            "The vendor has filed contrary instructions after the period had ended. They are "
            "written down; they do not stop the release.",
            _told(),
        ),
        Kind.CONSENT_GIVEN: Wording(
            "Vendor consents to the release",
            "The vendor has consented to the release request.",
            _told(
                vendor="Nothing, if it was you. If it was not, tell the service at once.",
                agent="Be ready to confirm: you are told when the confirmation is open.",
            ),
        ),
        Kind.REQUEST_APPROVED: Wording(
            "Release request approved by silence",
            "The period for contrary instructions has ended without any. The release goes on.",
            _told(agent="Be ready to confirm: you are told when the confirmation is open."),
        ),
        Kind.REQUEST_WITHDRAWN: Wording(
            "Release request withdrawn",
            "The beneficiary has withdrawn the release request. Nothing is released.",
            _told(
                beneficiary="Nothing, if it was you. If it was not, tell the service at once.",
                agent="Do not confirm.",
            ),
        ),
        Kind.REQUEST_VOIDED: Wording(
            "Release request void",
            "The agreement has changed, so the release request and every confirmation of it are "
            "void. Nothing is released.",
            _told(
                beneficiary="File a new request if the condition still holds.",
                agent="Do not confirm.",
            ),
        ),
        Kind.CONFIRMATION_OPEN: Wording(
            "Confirmation of a release open",
            "The agents may now confirm the release.",
            _told(
                agent="Check and confirm with 'escrow confirm' in your own client, with your own "
                "key and share. Confirm only if no contrary instructions reached you by any "
                "channel. Nobody ever asks you for your key or share: not by mail, not by "
                "telephone, not on a web page.",
            ),
        ),
        Kind.RELEASE_EXECUTED: Wording(
            "Release executed",
            "The deposits are released to the beneficiary.",
            _told(
                beneficiary="Download the package, open it with the recipient's key that your "
                "agreement pins, and keep it. The certificate lies beside it.",
                agent="A new sealing key takes the place of the one that was used: take part in "
                "its set-up when you are asked.",
            ),
        ),
        Kind.RELEASE_ABORTED: Wording(
            "Release aborted",
            "The release was stopped before anything was handed over, because something that "
            "stops it was filed in time.",
            _told(
                beneficiary="Read why. A new request may be filed.",
                agent="Do not confirm this request again.",
            ),
        ),
        Kind.HOLD_PLACED: Wording(
            "Hold placed",
            "A hold was placed under this agreement. While it stands nothing is withdrawn, "
            "dropped, erased or destroyed.",
            _told(),
        ),
        Kind.HOLD_LIFTED: Wording(
            "Hold lifted",
            "A hold under this agreement was lifted.",
            _told(
                vendor="See whether another duty to keep remains.",
                beneficiary="See whether another duty to keep remains; if so, place your own hold.",
            ),
        ),
        Kind.DEPOSIT_WITHDRAWN: Wording(
            "Deposit withdrawn",
            "The vendor has withdrawn a deposit. It lies in quarantine, and is shredded when "
            "the period of the agreement is over.",
            _told(
                beneficiary="If it must be kept, place a hold with 'escrow agreement hold' before "
                "the period ends.",
                agent="If an order to keep it reaches you, place a hold.",
            ),
        ),
        Kind.WITHDRAWAL_CANCELLED: Wording(
            "Withdrawal taken back",
            "The vendor has taken the withdrawal of a deposit back. The deposit is retained "
            "as before.",
            _told(),
        ),
        Kind.DEPOSIT_SHREDDED: Wording(
            "Deposit shredded",
            "A withdrawn deposit was shredded: nothing that opens it is kept.",
            _told(),
        ),
        Kind.DESTRUCTION_REQUESTED: Wording(
            "Destruction requested",
            "The destruction of everything that is kept under this agreement was requested.",
            _told(
                beneficiary="Read the request and acknowledge its service with your own key. "
                "Object, file a release request or place a hold if anything must be kept.",
                agent="See that every beneficiary is served. Where one does not acknowledge it, "
                "state the service with its proof.",
            ),
        ),
        Kind.DESTRUCTION_SERVED: Wording(
            "Destruction served, period begun",
            "The service of the request for destruction on every beneficiary is proven, and "
            "the grace period runs.",
            _told(
                beneficiary="Object, file a release request or place a hold before the period "
                "ends, if anything must be kept.",
            ),
        ),
        Kind.DESTRUCTION_CONFIRMABLE: Wording(
            "Confirmation of a destruction open",
            "The grace period is over, and the agents may confirm the destruction.",
            _told(
                agent="Check and confirm with 'escrow ending confirm' in your own client, with your"
                " own key. Do not confirm if you know of a hold, an order or a request.",
            ),
        ),
        Kind.DESTRUCTION_OBJECTED: Wording(
            "Destruction objected to",
            "A beneficiary has objected to the destruction. Nothing is destroyed.",
            _told(
                agent="Do not confirm.",
            ),
        ),
        Kind.DESTRUCTION_CANCELLED: Wording(
            "Destruction cancelled",
            "The request for destruction was cancelled. Nothing is destroyed.",
            _told(
                agent="Do not confirm.",
            ),
        ),
        Kind.DESTRUCTION_EXECUTED: Wording(
            "Destruction executed",
            "The keys of everything that was kept under this agreement were destroyed.",
            _told(
                vendor="Fetch the certificate and keep it.",
                beneficiary="Fetch the certificate and keep it.",
                agent="Destroy your share, and any copy of the agreement's key that you hold.",
            ),
        ),
        Kind.CEREMONY_NEEDED: Wording(
            "Key set-up needed",
            "This agreement needs a new set-up of its sealing key.",
            _told(
                agent="Take part with your own client: receive your share, open the canary, and "
                "sign that it opened.",
            ),
        ),
        Kind.CUSTODY_SESSION_OPEN: Wording(
            "Agents asked to show that they hold their shares",
            "The agents are asked to take part in a session. Your own client says what it is for "
            "before you sign. Nothing is released by it.",
            _told(
                agent="Answer with 'escrow ceremony answer' in your own client before the last "
                "day has ended. Nobody ever asks you for your key or share: not by mail, not by "
                "telephone, not on a web page.",
            ),
        ),
        Kind.CUSTODY_DUE: Wording(
            "Quarterly session due",
            "A quarter of a year has passed since an agent last showed that he holds his share.",
            _told(
                agent="Begin the quarterly session with 'escrow ceremony session', and answer it. "
                "Whoever has not shown his share when the last day has ended counts as lost.",
            ),
        ),
        Kind.CUSTODY_ALARM: Wording(
            "Hardly enough agents hold their shares",
            "So few agents have lately shown that they hold their shares that one more loss would "
            "make it impossible to open what is sealed.",
            _told(
                vendor="See with the beneficiary that an agent who left is replaced, by an "
                "amendment and a re-sharing.",
                beneficiary="See with the vendor that an agent who left is replaced, by an "
                "amendment and a re-sharing.",
                agent="Show that you hold your share: 'escrow ceremony drill', then 'answer'.",
            ),
        ),
        Kind.CUSTODY_IMPAIRED: Wording(
            "Custody impaired",
            "Fewer agents than are needed have shown that they hold their shares. What is sealed "
            "now may never open again.",
            _told(
                vendor="Have a new key dealt to agents who are there, and make a new deposit then.",
                beneficiary="Ask for a new key and a new deposit; rely on no earlier one.",
                agent="If you hold your share, show it now: 'escrow ceremony drill', then "
                "'answer'.",
            ),
        ),
        Kind.DEPOSIT_MISSING: Wording(
            "A deposit is missing",
            "A deposit that reaches the agreed level was due under this agreement and has not "
            "come, and the time that is granted after that has passed. A signed notice says so.",
            _told(
                vendor="Deposit the present state, and see that its verification passes.",
                beneficiary="Keep the signed notice. Whether it lets you do something, the "
                "agreement says.",
            ),
        ),
        Kind.DEPOSIT_NOT_SERVING: Wording(
            "A deposit that does not serve you",
            "The vendor sealed a deposit of a product of this agreement himself, for another "
            "agreement. Nothing of it would be released under this one.",
            _told(
                vendor="Deposit the same for this agreement, or without sealing it first: then it "
                "serves every agreement and is verified.",
                beneficiary="Rely on the deposits before it. That deposits come as agreed, ask of "
                "the vendor.",
            ),
        ),
        Kind.DEPOSIT_NOT_OPENING: Wording(
            "A client-sealed deposit does not open",
            "A part that the vendor had sealed himself does not open to the agents' key: it was "
            "sealed to another key than he said, or the key changed while it was on its way.",
            _told(
                vendor="Seal the part anew to the current key ('escrow deposit sealing-key') and "
                "deposit it, or deposit it without sealing it first.",
                beneficiary="Rely on the deposits before it until the vendor has deposited anew; "
                "the account of custody names the parts.",
                agent="Nothing to do: it shows in the agreement's account of custody.",
            ),
        ),
        Kind.DEPOSIT_DAMAGED: Wording(
            "A deposit is damaged",
            "Stored bytes of a deposit under this agreement are lost or damaged in every copy. A "
            "release of it would lack them; other deposits are not touched.",
            _told(
                vendor="Deposit the present state anew, and see that its verification passes.",
                beneficiary="Rely on another deposit until the vendor has deposited anew: 'escrow "
                "status' tells how each is stored.",
                agent="Look at 'escrow status' of the deposit before you confirm a release of it.",
            ),
        ),
        Kind.RECIPIENT_PROOF_DUE: Wording(
            "Key of a release to be proven again",
            "A key to which a release to you would be sealed was last proven almost a year ago.",
            _told(
                beneficiary="Fetch it from where it is kept and open the canary before the last "
                "day has ended: 'escrow agreement prove-recipient'. If it is lost, change it: "
                "'escrow agreement recipient change'.",
            ),
        ),
        Kind.RECIPIENT_UNPROVEN: Wording(
            "A release would be unreadable",
            "A key to which a release would be sealed has not been proven for a year. If it is "
            "lost, nobody could read what is released.",
            _told(
                beneficiary="Open the canary now: 'escrow agreement prove-recipient'. If the key "
                "is lost, change it: 'escrow agreement recipient change'.",
            ),
        ),
        Kind.RECIPIENT_CHANGE_PROPOSED: Wording(
            "Change of a recipient proposed",
            "A person of the beneficiary has signed that releases are to be sealed to another key. "
            "The old one counts until the new one is proven and a cooling-off is over. Requests of "
            "that beneficiary which were filed before are void.",
            _told(
                beneficiary="If you know of it, open the canary: 'escrow agreement recipient "
                "prove'. If nobody of you did this, take it back: 'escrow agreement recipient "
                "withdraw'; a signing key is in wrong hands.",
            ),
        ),
        Kind.RECIPIENT_CHANGE_PROVEN: Wording(
            "Change of a recipient: the cooling-off runs",
            "The beneficiary's new key has opened a canary. It counts when the last day has ended; "
            "until then the old one does.",
            _told(
                vendor="Nothing. If you doubt that the beneficiary did this, ask him by another "
                "channel.",
                beneficiary="If nobody of you did this, take it back before the last day has "
                "ended: 'escrow agreement recipient withdraw'; a signing key is in wrong hands.",
                agent="Compare the new key's fingerprint with the beneficiary by another channel, "
                "before you confirm a release that is sealed to it.",
            ),
        ),
        Kind.RECIPIENT_CHANGE_WITHDRAWN: Wording(
            "Change of a recipient withdrawn",
            "A person of the beneficiary took a change of a recipient back. The old one counts.",
            _told(),
        ),
    }
)

ENGLISH = Language(
    wordings=_ENGLISH,
    trial="TRIAL. This service runs as '{environment}': this mail is no notice under any "
    "agreement.",
    labels=MappingProxyType(
        {
            "agreement": "Agreement",
            "request": "Request",
            "last_day": "Last day",
            "place": "Look at",
            "to_do": "What you have to do",
        }
    ),
    calendar="business days of calendar {calendar}",
    days_end="A day has ended when it has ended everywhere on earth (UTC-12).",
    closing="This mail tells you where to look. By itself it starts no period and ends none: what "
    "counts stands in the agreement's ledger. An answer to this mail is no signed act.",
)

LANGUAGES: Mapping[str, Language] = MappingProxyType({DEFAULT_LANGUAGE: ENGLISH})


def language_of(code: str) -> Language:
    """Return the texts of a language, English where there are none yet.

    Args:
        code: such as ``de`` or ``de-AT``; the part before the dash is enough.
    """
    return LANGUAGES.get(code) or LANGUAGES.get(code.partition("-")[0]) or ENGLISH
