"""The four questions of Sigsum's log protocol v1: what anybody may ask of the public log.

Guarantees: answers come from stored rows alone, at a price that does not follow the ledger's size,
to anybody, without a token: a leaf tells a stranger only that something was written. Nothing is
signed here. What a stored row says is believed by nobody who asks; he computes the root himself.
An answer that cannot change any more says so, and is kept.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from escrow.ground.database import Database, Session
from escrow.ground.errors import EscrowError
from escrow.ground.signatures import PublicKey
from escrow.ledger import records
from escrow.ledger.checkpoints import verify_checkpoint
from escrow.ledger.cosignatures import unverified_lines_of
from escrow.ledger.proofs import consistency_proof, inclusion_of, with_cosignatures

# Leaves of one answer; who wants more asks again from where it ended (Sigsum, "get-leaves").
MAX_LEAVES = 512

# Proofs are asked for by whoever watches the log, again and again for the same sizes. An answer of
# leaves has some 135 kB, a proof one or two: by their length, so that nobody fills our memory.
MAX_KEPT_CHARS = 4 * 1024 * 1024

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_HASH = re.compile(r"[0-9a-f]{64}")

_FOR_GOOD = "public, max-age=31536000, immutable"
_FOR_A_MOMENT = "public, max-age=1"


class NotThere(Exception):
    """What was asked for is not in the log, or not yet."""


class Malformed(Exception):
    """Nothing of this form can be asked for."""


class SigsumApp:
    """Answers below one address; raw ASGI, since none of it is of the API's forms.

    Args:
        database: only read.
        log_key: of the trust root.
    """

    def __init__(self, database: Database, log_key: PublicKey) -> None:
        self._database = database
        self._log_key = log_key
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._kept_chars = 0
        self._lock = Lock()
        self._questions: dict[tuple[str, int], Callable[..., tuple[str, bool]]] = {
            ("get-tree-head", 0): self._tree_head,
            ("get-leaves", 2): self._leaves,
            ("get-inclusion-proof", 2): self._inclusion,
            ("get-consistency-proof", 2): self._consistency,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in ("GET", "HEAD"):
            answer: Response = _refusal(405, "only GET is answered here")
        else:
            answer = await run_in_threadpool(
                self._answer, scope["path"].removeprefix(scope["root_path"])
            )
        await answer(scope, receive, send)

    def _answer(self, path: str) -> Response:
        name, *values = path.strip("/").split("/")
        question = self._questions.get((name, len(values)))
        if question is None:
            return _refusal(404, "no such question")
        # One name for one question, however many slashes it was asked with.
        asked = "/".join((name, *values))
        kept = self._known(asked)
        if kept is not None:
            return PlainTextResponse(kept, headers={"Cache-Control": _FOR_GOOD})
        try:
            with self._database.reading() as session:
                text, lasting = question(session, *values)
        except Malformed as problem:
            return _refusal(400, str(problem))
        except NotThere as problem:
            return _refusal(404, str(problem))
        except EscrowError as problem:
            # A missing or malformed row: the check of the ledger names it, a stranger need not.
            return _refusal(500, problem.code)
        if lasting:
            self._keep(asked, text)
        headers = {"Cache-Control": _FOR_GOOD if lasting else _FOR_A_MOMENT}
        return PlainTextResponse(text, headers=headers)

    def _known(self, asked: str) -> str | None:
        with self._lock:
            return self._kept.get(asked)

    def _keep(self, asked: str, text: str) -> None:
        with self._lock:
            if asked not in self._kept:
                self._kept[asked] = text
                self._kept_chars += len(text)
            while self._kept_chars > MAX_KEPT_CHARS:
                self._kept_chars -= len(self._kept.popitem(last=False)[1])

    # Each returns its answer, and whether it will always be the same.

    def _tree_head(self, session: Session) -> tuple[str, bool]:
        newest = records.newest_checkpoint(session)
        if newest is None:
            raise NotThere("the log is empty")
        note = with_cosignatures(session, *newest)
        checkpoint = verify_checkpoint(note, self._log_key)
        head = _text(
            f"size={checkpoint.tree_size}",
            f"root_hash={checkpoint.root_hex}",
            f"signature={checkpoint.signature.hex()}",
            *(one.sigsum_line for one in unverified_lines_of(note)),
        )
        return head, False

    def _leaves(self, session: Session, start_text: str, end_text: str) -> tuple[str, bool]:
        start, end, size = _number(start_text), _number(end_text), _size(session)
        if start >= end:
            raise Malformed("the end is not after the start")
        if start >= size:
            raise NotThere(f"the log has {size} leaves")
        leaves = records.leaves_between(session, start, min(end, size, start + MAX_LEAVES))
        lines = (f"leaf={one[:32].hex()} {one[32:96].hex()} {one[96:].hex()}" for one in leaves)
        # An answer that ends where the log ends now would be longer tomorrow.
        return _text(*lines), end <= size

    def _inclusion(self, session: Session, size_text: str, hash_text: str) -> tuple[str, bool]:
        size = _number(size_text)
        if size < 2 or not _HASH.fullmatch(hash_text):
            raise Malformed("a proof is of a leaf's hash in a tree of two leaves or more")
        _check_size(session, size)
        found = inclusion_of(session, bytes.fromhex(hash_text), size)
        if found is None:
            raise NotThere("the tree of this size has no such leaf")
        index, path = found
        return _text(f"leaf_index={index}", *map(_node, path)), True

    def _consistency(self, session: Session, old_text: str, new_text: str) -> tuple[str, bool]:
        old, new = _number(old_text), _number(new_text)
        if not 0 < old < new:
            raise Malformed("a proof leads from a smaller tree that is not empty to a larger one")
        _check_size(session, new)
        return _text(*map(_node, consistency_proof(session, old, new))), True


def _size(session: Session) -> int:
    newest = records.newest_checkpoint(session)
    return newest[0] if newest else 0


def _check_size(session: Session, size: int) -> None:
    if size > (largest := _size(session)):
        raise NotThere(f"the log has {largest} leaves")


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Malformed("a size is a decimal number without leading zeros")
    return int(text)


def _node(one: bytes) -> str:
    return f"node_hash={one.hex()}"


def _text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _refusal(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status)
