"""What the subject of each act on an ending says, written and read; pure.

The client builds it from what it shows, portal and keyholder read it with the same functions. A
field that is missing, of another form or not known makes it another act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from escrow.endings.errors import EndingMalformed
from escrow.endings.states import ACTS, OPENING
from escrow.evidence.acts import Act, ActName
from escrow.ground.identifiers import AgreementId

ID_PREFIXES = {"hold": "hld", "withdrawal": "wdr", "destruction": "dst"}
REASONS = ("secret", "personal-data", "rights", "mistake")
METHODS = ("courier", "registered-mail", "in-person", "deemed")

_SHA256 = r"[0-9a-f]{64}"
_DAY = r"\d{4}-\d{2}-\d{2}"
_STATEMENT: Mapping[str, str] = {"statement_sha256": _SHA256}

# What an act says beside the ending that it is about, each with its form.
OWN: Mapping[ActName, Mapping[str, str]] = MappingProxyType(
    {
        "place-hold": _STATEMENT,
        "lift-hold": _STATEMENT,
        "withdraw-deposit": {"deposit_id": r"dep_[0-9a-z]{26}", "reason": "|".join(REASONS)},
        "cancel-deposit-withdrawal": {},
        "request-destruction": _STATEMENT,
        "acknowledge-destruction": {},
        "state-destruction-service": {
            "beneficiary": r"[a-z0-9][a-z0-9-]{0,63}",
            "method": "|".join(METHODS),
            "day": _DAY,
            "proof_sha256": _SHA256,
        },
        "object-to-destruction": _STATEMENT,
        "cancel-destruction": {},
        "confirm-destruction": {"text_sha256": _SHA256, "ledger_head": _SHA256},
    }
)

_PAPERS = ("statement_sha256", "proof_sha256")
_ID = re.compile(r"(?:hld|wdr|dst)_[0-9a-z]{26}")


def opening_subject(
    agreement_id: AgreementId, version: int, text_sha256: str, ending_id: str, **own: str
) -> dict[str, object]:
    """Return the subject of an act that begins an ending under exactly this text."""
    return {
        "agreement_id": agreement_id,
        "version": version,
        "text_sha256": text_sha256,
        "ending_id": ending_id,
        **own,
    }


def following_subject(
    agreement_id: AgreementId, ending_id: str, opening_act_sha256: str, **own: str
) -> dict[str, object]:
    """Return the subject of an act on an ending that is on file, as it was signed."""
    return {
        "agreement_id": agreement_id,
        "ending_id": ending_id,
        "opening_act_sha256": opening_act_sha256,
        **own,
    }


def own_fields(act: Act) -> dict[str, str]:
    """Return what an act says beside the ending that it is about, each field of its form.

    Raises:
        EndingMalformed: no act on an ending, or another form.
    """
    forms = OWN.get(act.name)
    if forms is None:
        raise EndingMalformed("it is no act on an ending")
    step = ACTS[act.name][0]
    common = (
        {"agreement_id", "version", "text_sha256", "ending_id"}
        if step in OPENING
        else {"agreement_id", "ending_id", "opening_act_sha256"}
    )
    for name in set(act.subject) ^ (common | set(forms)):
        raise EndingMalformed(f"{name} is missing, or not of this act")
    found = {name: str(act.subject[name]) for name in forms}
    for name, form in forms.items():
        if not isinstance(act.subject[name], str) or not re.fullmatch(form, found[name]):
            raise EndingMalformed(f"{name} has another form")
    return found


def ending_id_of(act: Act) -> str:
    """Return which ending an act is about.

    Raises:
        EndingMalformed: it names none, or one of another kind.
    """
    named = act.subject.get("ending_id")
    if not isinstance(named, str) or not _ID.fullmatch(named):
        raise EndingMalformed("ending_id is no id of an ending")
    step = ACTS[act.name][0]
    if step in OPENING and not named.startswith(ID_PREFIXES[OPENING[step][0]]):
        raise EndingMalformed("ending_id is of another kind")
    return named


def papers_named(own: Mapping[str, str]) -> list[str]:
    """Return the digests of the papers that an act names."""
    return [own[name] for name in _PAPERS if name in own]


def day_of(own: Mapping[str, str]) -> date:
    """Return the stated day of service.

    Raises:
        EndingMalformed: no day of the calendar.
    """
    try:
        return date.fromisoformat(own["day"])
    except ValueError:
        raise EndingMalformed("day is no day") from None
