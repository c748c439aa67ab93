"""Resumable uploads of parts: what the tus protocol knows of one, without any HTTP.

Guarantees: a part is sealed while it comes in and rests nowhere in plaintext but in scratch; the
offset that is told is one from which the upload can go on, also after the process was killed;
one request at a time writes to an upload. When scratch is lost (the machine was started anew) the
upload is gone, and said to be.

Every call blocks; the adapter runs them in threads. Who may call is decided before
(:mod:`escrow.deposits.admission`).
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from escrow.deposits import records
from escrow.deposits.drafts import ClientSeal, PartDescription
from escrow.deposits.errors import (
    ChecksumWrong,
    UploadBusy,
    UploadConflict,
    UploadGone,
    UploadsFull,
    UploadTooLarge,
    UploadUnknown,
)
from escrow.deposits.intake import Intake
from escrow.deposits.upload_values import (
    MAX_UPLOAD_BYTES,
    Taker,
    UploadRequest,
    UploadState,
    UploadWriter,
)
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import InvalidInput, NotFound, Refused, Tampered, Unavailable
from escrow.ground.identifiers import AgreementId, DepositId, TokenId, UploadId, new_id
from escrow.vault.age_keys import FileKey
from escrow.vault.blobs import BlobStore
from escrow.vault.client_sealed import ClientSealedTaker
from escrow.vault.errors import NotClientSealed
from escrow.vault.sealing import PayloadSealer, SealedPayload

# A day without a byte: the client is not coming back.
LIFETIME = timedelta(hours=24)

__all__ = ["MAX_UPLOAD_BYTES", "UploadDesk", "UploadRequest", "UploadState", "UploadWriter"]

# Each holds buffers of some 13 MiB; beyond, one that rests is put away until it is asked for.
MAX_LIVE_UPLOADS = 8

FOLDER_PREFIX = "upload_"

_ANEW = "Start a new upload for this part with POST."


@dataclass
class _Live:
    """An upload in this process's hands; whoever changes it holds its lock.

    ``pins`` counts the requests that look at it: only what nobody looks at is put away, so there
    are never two sealers of one upload.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    pins: int = 0
    sealer: Taker | None = None
    sealed: SealedPayload | None = None
    secured: int | None = None
    used_at: float = 0.0


class UploadDesk:
    """Takes uploads; one for the process.

    Args:
        database: opened for each step on its own, since uploads last for hours.
        intake: adds the finished part to its deposit.
        blobs: where payloads are staged and stored.
        scratch: folder in memory for what a sealing must remember.
        clock: for expiry.
    """

    def __init__(
        self, database: Database, intake: Intake, blobs: BlobStore, scratch: Path, clock: Clock
    ) -> None:
        self._database = database
        self._intake = intake
        self._blobs = blobs
        self.scratch = scratch
        self._clock = clock
        self._live: dict[str, _Live] = {}
        self._guard = threading.Lock()

    # --- what the adapter calls ---------------------------------------------------------------

    def create(
        self, deposit_id: DepositId, token_id: TokenId, request: UploadRequest
    ) -> UploadState:
        """Begin an upload; an unfinished one of the same part is given up for it.

        Raises:
            DepositUnknown, DepositNotOpen, PartInvalid, PartExists: see the intake.
            AgreementNotNamed, SealingKeyNotCurrent: it is client-sealed, and can be for none.
            UploadTooLarge: the part is larger than any may be.
        """
        if request.length > MAX_UPLOAD_BYTES:
            raise UploadTooLarge(
                f"A part has at most {MAX_UPLOAD_BYTES} bytes.", "Split it into several parts."
            )
        with self._database.reading() as session:
            seal = self._intake.resolve_seal(session, deposit_id, request.said_seal)
            part = replace(request.part, seal=seal)
            deposit = self._intake.check_part_welcome(session, deposit_id, part)
            open_now = records.uploads_of(session, deposit_id, "open")
        for older in open_now:
            if (older.kind, older.name) == (part.kind, part.name):
                self._end(UploadId(older.id), "terminated")
        now = self._clock.now()
        row = records.Upload(
            id=new_id("upl"),
            deposit_id=deposit_id,
            product_id=deposit.product_id,
            token_id=token_id,
            kind=part.kind,
            name=part.name,
            media=part.media,
            length=request.length,
            sha256=request.sha256,
            client_agreement_id=seal.agreement_id if seal else None,
            client_epoch=seal.epoch if seal else None,
            created_at=now,
            expires_at=now + LIFETIME,
            state="open",
        )
        self._begin(row)
        if request.length == 0:
            with self.writing(deposit_id, UploadId(row.id), 0):
                pass
        return self.state(deposit_id, UploadId(row.id))

    def state(self, deposit_id: DepositId, upload_id: UploadId) -> UploadState:
        """Return how far an upload is.

        Raises:
            UploadUnknown: none of that id in this deposit.
            UploadGone: it expired, was given up, or its scratch is lost.
        """
        row = self._row(deposit_id, upload_id)
        if row.state == "finished":
            return _state(row, row.length)
        # While another request writes, what it found secured is told; it has since moved on.
        secured = self._secured_by_another(upload_id)
        if secured is None:
            with self._turn(upload_id, wait=True) as live:
                row = self._row(deposit_id, upload_id)
                if row.state == "open":
                    secured = self._sealer(row, live).received_bytes
                    self._complete(row, live)
            row = self._row(deposit_id, upload_id)
        return _state(row, secured or 0)

    @contextmanager
    def writing(
        self, deposit_id: DepositId, upload_id: UploadId, offset: int
    ) -> Iterator[UploadWriter]:
        """Give the right to write from an offset; what was written is kept, whatever happens.

        At the announced length the part is sealed and added to its deposit when the block ends.

        Raises:
            UploadUnknown, UploadGone: see :meth:`state`.
            UploadBusy: another request is writing.
            UploadConflict: the upload stands at another offset, or is complete.
            ChecksumWrong: the whole part is not what the client hashed; it is given up.
        """
        self._row(deposit_id, upload_id)
        with self._turn(upload_id, wait=False) as live:
            # Read again: the request before this one may have completed it.
            row = self._row(deposit_id, upload_id)
            if row.state == "finished":
                raise _conflict(row.length)
            sealer = self._sealer(row, live)
            if offset != sealer.received_bytes:
                raise _conflict(sealer.received_bytes)
            try:
                yield UploadWriter(row.length, sealer)
            finally:
                self._secure(row, live, sealer)

    def terminate(self, deposit_id: DepositId, upload_id: UploadId) -> None:
        """Give an upload up and forget its bytes.

        Raises:
            UploadUnknown, UploadGone: see :meth:`state`.
            UploadConflict: it is complete.
            UploadBusy: a request is writing to it.
        """
        row = self._row(deposit_id, upload_id)
        if row.state == "finished":
            raise _conflict(row.length)
        self._end(upload_id, "terminated")

    # --- upkeep -------------------------------------------------------------------------------

    def expire(self) -> int:
        """Give up every upload whose time is over or whose deposit is; return how many."""
        now = self._clock.now()
        with self._database.reading() as session:
            over = records.uploads_over(session, now)
        for row in over:
            # One that is being written to lives on by what it receives.
            with contextlib.suppress(UploadBusy):
                self._end(UploadId(row.id), "expired")
        return len(over)

    def give_up_all(self, deposit_id: DepositId) -> None:
        """Give up whatever is still on its way to a deposit.

        Raises:
            UploadBusy: a request is writing.
        """
        with self._database.reading() as session:
            rows = records.uploads_of(session, deposit_id, "open")
        for row in rows:
            self._end(UploadId(row.id), "terminated")

    def staging_in_use(self) -> list[str]:
        """Return the stagings that a sweep has to keep, so that uploads can be resumed."""
        with self._database.reading() as session:
            rows = records.uploads_in(session, "open")
        return [
            row.staging for row in rows if row.staging and self._folder(UploadId(row.id)).exists()
        ]

    def folders_in_use(self) -> set[Path]:
        """Return the scratch folders of uploads that can go on."""
        with self._database.reading() as session:
            rows = records.uploads_in(session, "open")
        return {self._folder(UploadId(row.id)) for row in rows}

    def rest(self) -> None:
        """Put every upload away in order, for the end of the process."""
        with self._guard:
            for live in self._live.values():
                if not live.pins:
                    _put_away(live)
            self._live = {key: live for key, live in self._live.items() if live.pins}

    # --- inside -------------------------------------------------------------------------------

    def _row(self, deposit_id: DepositId, upload_id: UploadId) -> records.Upload:
        with self._database.reading() as session:
            row = records.upload_by_id(session, upload_id)
        if row is None or row.deposit_id != deposit_id:
            raise UploadUnknown
        if row.state not in ("open", "finished"):
            raise UploadGone(f"This upload was {row.state}.", _ANEW)
        if row.state == "open" and row.expires_at <= self._clock.now():
            raise UploadGone("This upload was expired.", _ANEW)
        return row

    def _begin(self, row: records.Upload) -> None:
        staging = self._blobs.stage()
        row.staging = staging.name
        with self._turn(UploadId(row.id), wait=True) as live:
            folder = self._folder(UploadId(row.id))
            live.sealer = (
                ClientSealedTaker(staging, row.length, folder)
                if row.client_agreement_id
                else PayloadSealer(staging, FileKey.generate(), scratch=folder)
            )
            live.secured = 0
            with self._database.writing() as session:
                records.add(session, row)

    def _folder(self, upload_id: UploadId) -> Path:
        return self.scratch / f"{FOLDER_PREFIX}{upload_id}"

    @contextmanager
    def _turn(self, upload_id: UploadId, *, wait: bool) -> Iterator[_Live]:
        """Hold an upload for oneself; nobody else reads or writes its sealer meanwhile."""
        with self._guard:
            if upload_id not in self._live:
                self._make_room()
            live = self._live.setdefault(upload_id, _Live())
            live.pins += 1
        try:
            if not live.lock.acquire(blocking=wait):
                raise UploadBusy(
                    "Another request is writing to this upload.",
                    "Wait until it ends and ask for the offset with HEAD.",
                )
            try:
                yield live
            finally:
                live.used_at = time.monotonic()
                live.lock.release()
        finally:
            with self._guard:
                live.pins -= 1
                if not live.pins and live.sealer is None:
                    self._live.pop(upload_id, None)

    def _secured_by_another(self, upload_id: UploadId) -> int | None:
        with self._guard:
            live = self._live.get(upload_id)
            return live.secured if live is not None and live.lock.locked() else None

    def _make_room(self) -> None:
        if len(self._live) < MAX_LIVE_UPLOADS:
            return
        resting = [(live.used_at, key) for key, live in self._live.items() if not live.pins]
        if not resting:
            raise UploadsFull("Too many uploads are under way.", "Try again in a moment.", 10)
        _put_away(self._live.pop(min(resting)[1]))

    def _sealer(self, row: records.Upload, live: _Live) -> Taker:
        if live.sealer is None:
            folder = self._folder(UploadId(row.id))
            try:
                staging = self._blobs.reopen(row.staging or "")
                live.sealer = (
                    ClientSealedTaker.resume(staging, row.length, folder)
                    if row.client_agreement_id
                    else PayloadSealer.resume(staging, folder)
                )
            except (InvalidInput, Refused, NotFound, Tampered) as problem:
                self._drop(row, live, "lost")
                raise UploadGone(f"This upload cannot go on: {problem.reason}", _ANEW) from problem
            live.secured = live.sealer.received_bytes
        return live.sealer

    def _secure(self, row: records.Upload, live: _Live, sealer: Taker) -> None:
        try:
            sealer.checkpoint()
        except NotClientSealed:
            # What is to replace it begins anew: no byte that follows makes it another file.
            self._drop(row, live, "refused")
            raise
        except Unavailable:
            # The next request begins from what scratch and staging hold.
            sealer.suspend()
            live.sealer = live.secured = None
            raise
        live.secured = sealer.received_bytes
        if sealer.received_bytes == row.length:
            live.sealed = sealer.finish()
            self._complete(row, live)
            return
        with self._database.writing() as session:
            records.note_upload(
                session, UploadId(row.id), live.secured, self._clock.now() + LIFETIME
            )

    def _complete(self, row: records.Upload, live: _Live) -> None:
        """Add the sealed part to its deposit; repeated when the database was out of reach."""
        if live.sealed is None or live.sealer is None:
            return
        if row.sha256 and row.sha256 != live.sealed.sha256:
            live.sealer = live.sealed = None
            self._close(row, "mismatched")
            raise ChecksumWrong(
                "The part that came is not the one that was announced: its SHA-256 differs.",
                "Nothing of it was kept; send it again.",
            )
        try:
            with self._database.writing() as session:
                self._add_part(session, row, live.sealed, live.sealer)
                records.close_upload(session, UploadId(row.id), "finished")
        except (InvalidInput, Refused, NotFound):
            # The deposit ended meanwhile, or the like: trying again would change nothing.
            live.sealer = live.sealed = None
            self._close(row, "refused")
            raise
        live.sealer = live.sealed = None

    def _add_part(
        self, session: Session, row: records.Upload, sealed: SealedPayload, sealer: Taker
    ) -> None:
        deposit_id = DepositId(row.deposit_id)
        part = PartDescription(row.kind, row.name, row.media, _seal(row))
        if isinstance(sealer, ClientSealedTaker):
            self._intake.add_client_part(session, deposit_id, part, sealed, sealer.header)
        else:
            self._intake.add_part(session, deposit_id, part, sealed, sealer.file_key)

    def _end(self, upload_id: UploadId, state: str) -> None:
        with self._turn(upload_id, wait=False) as live:
            with self._database.reading() as session:
                row = records.upload_by_id(session, upload_id)
            if row is not None and row.state == "open":
                self._drop(row, live, state)

    def _drop(self, row: records.Upload, live: _Live, state: str) -> None:
        """Forget the bytes first: a row that still says open is met again by the sweep."""
        if live.sealer is not None and live.sealed is None:
            live.sealer.discard()
        else:
            with contextlib.suppress(NotFound):
                self._blobs.reopen(row.staging or "").discard()
            shutil.rmtree(self._folder(UploadId(row.id)), ignore_errors=True)
        live.sealer = live.sealed = None
        self._close(row, state)

    def _close(self, row: records.Upload, state: str) -> None:
        with self._database.writing() as session:
            records.close_upload(session, UploadId(row.id), state)


def _put_away(live: _Live) -> None:
    if live.sealer is not None and live.sealed is None:
        with contextlib.suppress(Unavailable):
            live.sealer.checkpoint()
        live.sealer.suspend()
        live.sealer = None


def _seal(row: records.Upload) -> ClientSeal | None:
    if row.client_agreement_id is None or row.client_epoch is None:
        return None
    return ClientSeal(AgreementId(row.client_agreement_id), row.client_epoch)


def _state(row: records.Upload, offset: int) -> UploadState:
    return UploadState(
        id=UploadId(row.id),
        deposit_id=DepositId(row.deposit_id),
        offset=row.length if row.state == "finished" else offset,
        length=row.length,
        expires_at=row.expires_at,
        is_finished=row.state == "finished",
    )


def _conflict(offset: int) -> UploadConflict:
    return UploadConflict(
        f"The upload stands at byte {offset}.", "Ask for the offset with HEAD and go on from it."
    )
