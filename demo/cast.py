"""Who plays: people, their keys and tokens, and where each thing lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from demo.stage import Stage, run

PRODUCT = "acme/webframework"

PEOPLE = {
    "vendor": ("acme", "Ada Vendor"),
    "beneficiary": ("bank", "Bo Beneficiary"),
    "agent_1": ("notary", "Cy Agent"),
    "agent_2": ("lawfirm", "Di Agent"),
    "agent_3": ("auditors", "Ed Agent"),
}


@dataclass(frozen=True)
class Cast:
    """The tokens of those who act, and the agreement between them."""

    admin: str
    tokens: dict[str, str]
    agreement: str


def recipient_file(here: Stage, name: str) -> str:
    """Return the path of one of the beneficiary's age identities."""
    return str(here.keys / f"{name}.txt")


def recipient(here: Stage, name: str) -> str:
    """Return the public half of one of the beneficiary's age identities."""
    return run("age-keygen", "-y", recipient_file(here, name), cwd=here.folder).strip()


def key(here: Stage, role: str) -> str:
    """Return the path of a person's signing key."""
    return str(here.keys / f"{role}.pem")


def identity_of(here: Stage, role: str) -> str:
    """Return the path of a person's age identity."""
    return str(here.keys / f"{role}.age")


def public(here: Stage, role: str) -> dict[str, str]:
    """Return the public halves of a person's keys."""
    text = (Path(here.keys) / f"{role}.public.json").read_text(encoding="utf-8")
    document: dict[str, str] = json.loads(text)
    return document
