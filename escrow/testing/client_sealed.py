"""A vendor who seals with stock ``age`` himself, in a world with sessions and releases."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from escrow.custody.sealing_keys import ProvenKey, verify_sealing_key
from escrow.ground.identifiers import AgreementId
from escrow.testing.custody import CustodyWorld

AGENTS = ("agent_1", "agent_2", "agent_3")


class ClientSealedWorld(CustodyWorld):
    """A custody world whose vendor runs ``age``; ``age`` is the program's path."""

    age = Path("age")

    def sealing_key(self) -> ProvenKey:
        """Return the current key as the vendor's client proves it."""
        sent = self.do("GET", f"/agreements/{self.agreement}/sealing-key", "vendor")
        return verify_sealing_key(sent, AgreementId(self.agreement), self.ledger.keys)

    def run_age(self, *arguments: str, content: bytes = b"") -> bytes:
        """Run stock age over bytes and return what it writes.

        Raises:
            ValueError: it failed, with what it said.
        """
        command = [str(self.age), *arguments]
        done = subprocess.run(command, input=content, capture_output=True, check=False)
        if done.returncode:
            raise ValueError(done.stderr.decode())
        return done.stdout

    def seal(self, content: bytes, *recipients: str) -> bytes:
        """Return the age file of a vendor who seals to these, or to the current key."""
        named = recipients or (self.sealing_key().recipient,)
        return self.run_age(*(word for one in named for word in ("-r", one)), content=content)

    def deposit_sealed(self, sealed: bytes, label: str = "source/core", **said: str) -> str:
        """Deposit one client-sealed part and return the deposit's id."""
        draft = self.draft()
        self.upload(draft, label, "tar", sealed, **self.said(**said))
        self.do("POST", f"/deposits/{draft}/finish", "vendor")
        return draft

    def said(self, **said: str) -> dict[str, str]:
        """Return the metadata of a client-sealed upload."""
        return {"sealing": "client-sealed", "agreement": self.agreement} | said

    def hold_session(self, agents: Sequence[str] = AGENTS) -> dict[str, Any]:
        """Have the agents hold their quarterly session and open the new key's canary."""
        held = self.begin_session("session")
        for agent in agents:
            shown = self.answer(held, agent)
        self.open_canary(self.agreement)
        return shown

    def release(self) -> dict[str, Any]:
        """Request, consent, confirm by two agents; return the index of the package."""
        request = self.request()
        self.act_on(request, "vendor", "consent-to-release")
        self.confirm(request, "agent_1")
        self.confirm(request, "agent_3")
        return self.do("GET", f"/requests/{request}/release", "beneficiary")

    def opened_by_beneficiary(self, index: dict[str, Any], deposit: str, folder: Path) -> bytes:
        """Return what stock age makes of the one file of a released deposit."""
        listed = next(one for one in index["deposits"] if one["deposit_id"] == deposit)
        [file] = [one for one in listed["files"] if one["path"].startswith(_parts_of(listed))]
        content = self.fetch(index["request_id"], file["id"]).content
        identity = folder / "beneficiary.txt"
        identity.write_text(self.cast.identity("beneficiary_primary").reveal())
        return self.run_age("-d", "-i", str(identity), content=content)


def _parts_of(listed: dict[str, Any]) -> str:
    return f"{listed['product']}/deposit-{listed['number']}/parts/"
