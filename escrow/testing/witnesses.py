"""Witnesses of trials, with clocks of their own; their rule is tlog-witness's, their state is real.

Stock ``sigsum-witness`` is tried as well (tests/integration/ledger); its clock is the machine's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime

import httpx

from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.cosignatures import Witness, note_line, sign_cosignature
from escrow.ledger.errors import ProofFails
from escrow.ledger.merkle import check_consistency
from escrow.testing.ledgers import named_key
from escrow.testing.timestamps import TrialAuthority


class TrialWitness:
    """A witness of one log.

    Args:
        name: of the witness and of its host.
        log_key: of the log that it witnesses.
        now: its clock.
    """

    def __init__(self, name: str, log_key: PublicKey, now: Callable[[], datetime]) -> None:
        self.key = named_key(f"witness/{name}")
        self.witness = Witness(name, f"http://{name}.witness", self.key.public)
        self.now = now
        self.seen: Checkpoint | None = None
        self.is_silent = False
        self._log_key = log_key

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer ``add-checkpoint``."""
        if self.is_silent:
            raise httpx.ConnectError("silent", request=request)
        head, _, note = request.content.decode().partition("\n\n")
        old, *path = head.removeprefix("old ").splitlines()
        new, size = verify_checkpoint(note, self._log_key), self.seen.tree_size if self.seen else 0
        if int(old) != size:
            return httpx.Response(409, text=f"{size}\n")
        if self.seen is not None:
            try:
                proof = [base64.b64decode(one) for one in path]
                check_consistency(size, self.seen.root_hash, new.tree_size, new.root_hash, proof)
            except ProofFails:
                return httpx.Response(422)
        self.seen = new
        word = sign_cosignature(new, self.key, int(self.now().timestamp()))
        return httpx.Response(200, text=note_line(word, self.key.public) + "\n")


def network(*there: TrialWitness | TrialAuthority) -> httpx.MockTransport:
    """Return a transport that reaches these and nobody else.

    An authority is reached at ``http://<its name>.authority``.
    """
    witnesses = {
        f"{one.witness.name}.witness": one for one in there if isinstance(one, TrialWitness)
    }
    authorities = {f"{one.name}.authority": one for one in there if isinstance(one, TrialAuthority)}

    def answer(request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host in witnesses:
            return witnesses[host].answer(request)
        if host in authorities and not authorities[host].is_silent:
            return httpx.Response(200, content=authorities[host].reply(request.content))
        raise httpx.ConnectError("nobody there", request=request)

    return httpx.MockTransport(answer)
