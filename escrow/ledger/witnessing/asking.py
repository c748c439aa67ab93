"""Asking a witness to cosign a checkpoint: C2SP tlog-witness over HTTP.

The service asks for each new checkpoint; an agent's client asks for the one that it was shown,
before it signs. A witness signs only what begins with everything that it has signed before, so
either gets the same answer to "is this the one history?": yes, by a signature of now; no; or
nothing. Guarantees: a cosignature that is returned was verified.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from escrow.ledger.checkpoints import Checkpoint
from escrow.ledger.cosignatures import Cosignature, Witness, check_cosignature, parse_lines
from escrow.ledger.errors import ProofFails, WitnessAhead, WitnessRefuses, WitnessSilent

# A witness answers at once; one that does not is asked again with the next checkpoint.
TIMEOUT_SECONDS = 10.0

# Some signature lines, or a number; more is no answer of a witness.
MAX_ANSWER_BYTES = 16 * 1024

# We guess what the witness has seen, are told, and ask again; it may move on once meanwhile.
_MOST_ASKED = 3

_MAX_SIZE_DIGITS = 19

# Gives the consistency proof from an older size to a newer one.
Prover = Callable[[int, int], Sequence[bytes]]


@dataclass(frozen=True)
class WitnessClient:
    """One witness on the network.

    Args:
        witness: as the trust root names it.
        transport: of the HTTP client; the network's own by default.
    """

    witness: Witness
    transport: httpx.BaseTransport | None = None

    def cosign(self, checkpoint: Checkpoint, prove: Prover, known_size: int = 0) -> Cosignature:
        """Return a fresh cosignature of a checkpoint.

        Args:
            checkpoint: of our log, verified.
            prove: makes the proof from the size that the witness has seen.
            known_size: the size that we believe it has seen; it corrects us.

        Raises:
            WitnessSilent: no answer that is one.
            WitnessAhead: it has seen a larger tree of this log.
            WitnessRefuses: the checkpoint does not continue what it has seen.
        """
        old = min(known_size, checkpoint.tree_size)
        for _ in range(_MOST_ASKED):
            answer = self._post(_request(checkpoint, old, prove))
            if answer.status_code == httpx.codes.OK:
                return self._verified(answer.text, checkpoint)
            if answer.status_code != httpx.codes.CONFLICT:
                break
            seen = self._size(answer.text)
            if seen > checkpoint.tree_size:
                raise WitnessAhead(self.witness.name, seen, checkpoint.tree_size)
            if seen == old:
                # The size that it has seen is the one we named: it is the root that differs.
                raise WitnessRefuses(self.witness.name, checkpoint.tree_size)
            old = seen
        if httpx.codes.is_client_error(answer.status_code):
            raise WitnessRefuses(self.witness.name, checkpoint.tree_size)
        raise WitnessSilent(self.witness.name, f"its answer is {answer.status_code}")

    def _post(self, body: str) -> httpx.Response:
        url = f"{self.witness.url}/add-checkpoint"
        try:
            with (
                httpx.Client(timeout=TIMEOUT_SECONDS, transport=self.transport) as client,
                client.stream("POST", url, content=body.encode()) as answer,
            ):
                content = b""
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > MAX_ANSWER_BYTES:
                        raise WitnessSilent(self.witness.name, "its answer has no end")
                return httpx.Response(answer.status_code, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise WitnessSilent(self.witness.name, type(problem).__name__) from problem

    def _verified(self, lines: str, checkpoint: Checkpoint) -> Cosignature:
        try:
            found = parse_lines(lines, self.witness)
            for one in found:
                check_cosignature(one, checkpoint, self.witness.key)
                return one
        except ProofFails as problem:
            raise WitnessSilent(self.witness.name, "its signature does not hold") from problem
        raise WitnessSilent(self.witness.name, "another key than the witness's signs there")

    def _size(self, text: str) -> int:
        digits = text.strip()
        if not digits.isascii() or not digits.isdigit() or len(digits) > _MAX_SIZE_DIGITS:
            raise WitnessSilent(self.witness.name, "it refuses without the size it has seen")
        return int(digits)


def _request(checkpoint: Checkpoint, old: int, prove: Prover) -> str:
    path = prove(old, checkpoint.tree_size) if 0 < old < checkpoint.tree_size else ()
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in path), ""]
    # Only our own signature: a witness need not read what others said.
    body, _, signatures = checkpoint.note.partition("\n\n")
    own = signatures.partition("\n")[0]
    return "\n".join(lines) + f"\n{body}\n\n{own}\n"
