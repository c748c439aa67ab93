"""Continuity copies: what opens Lock B when the operator and his key manager are gone.

Beside each header record of the agents' lock a second copy of the same header is sealed to the
agreement's *continuity key*, whose secret is split among holders outside the operator and kept
nowhere. Lock A stays: the copy holds a header to the agents' sealing key, never a file key, and
standing custody's records are not copied. Everything in the folder is ciphertext or public, made
to be replicated outside the operator's account; a runbook and one script for stock Python lie
beside it. This module does not decide when a copy is made, and logs nothing.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import tomllib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex
from escrow.ground.errors import InvalidInput, Unavailable
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ground.paths import sync_folder
from escrow.vault.age import encrypt_bytes, hybrid_identity_from_seed, parse_recipient
from escrow.vault.age_keys import SEED_BYTES
from escrow.vault.ceremony import check_quorum
from escrow.vault.errors import BadQuorum, BadRecipient
from escrow.vault.shares import split

SHARE_VERSION = 1
# A list of a few people; more is another file.
MAX_HOLDERS_BYTES = 64 * 1024

KEY_FILE = "continuity.recipient"
# How many holders are needed, beside the share files: the settings may say another number since.
_QUORUM_FILE = "quorum.txt"
# To whom, so that others in the settings are noticed.
_HOLDERS_FILE = "recipients.txt"
# Where a dealing is built that is to take another's place.
_UNFINISHED = ".unfinished"
# Where the other one waits meanwhile.
_LEFT = ".left"
PARTS_FILE = "parts.txt"
RUNBOOK, SCRIPT = "RUNBOOK.md", "combine.py"
# Read when this is loaded: later the keyholder's own user may not see the program's files.
_BESIDE = {name: (Path(__file__).parent / name).read_bytes() for name in (RUNBOOK, SCRIPT)}


class BadContinuityHolders(InvalidInput):
    """The file that names the continuity holders cannot be used."""

    code = "vault.bad-continuity-holders"


class ContinuityUnavailable(Unavailable):
    """The folder of the continuity copies cannot be read or written."""

    code = "vault.continuity-unavailable"


@dataclass(frozen=True)
class Holders:
    """Who holds shares of continuity keys: any k of them open, together."""

    k: int
    recipients: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Holders:
        """Return what stands in the file.

        Raises:
            BadContinuityHolders: no such file, not the form of docs/keys.md, or no quorum.
        """
        try:
            with path.open("rb") as file:
                document = tomllib.loads(file.read(MAX_HOLDERS_BYTES).decode())
            recipients = tuple(str(one["recipient"]) for one in document["holder"])
            for text in recipients:
                parse_recipient(text)
            check_quorum(int(document["k"]), len(recipients))
            if len(set(recipients)) != len(recipients):
                raise ValueError("one recipient twice")
            return cls(int(document["k"]), recipients)
        except (OSError, ValueError, KeyError, TypeError, BadRecipient, BadQuorum) as problem:
            raise BadContinuityHolders(
                f"The continuity holders in {path} cannot be used: {problem}.",
                "Give k and one [[holder]] with name and recipient each, 1 < k < holders.",
            ) from problem

    def listed(self) -> bytes:
        """Return them as a dealing keeps them: the number that is needed, and one a line."""
        return "\n".join([str(self.k), *self.recipients, ""]).encode()


@dataclass(frozen=True)
class DealtKey:
    """A continuity key that was just made: public facts only."""

    recipient: str
    k: int
    share_files_sha256: tuple[Sha256Hex, ...]


@dataclass
class Dealing:
    """An agreement's continuity key and the folder that its copies go to.

    Args:
        is_fresh: nothing was copied to it yet, so everything retained has to be.
    """

    folder: ContinuityFolder
    agreement_id: AgreementId
    is_fresh: bool


@dataclass(frozen=True)
class CopiedPart:
    """A part as its line in ``parts.txt`` tells it."""

    part_id: str
    payload_sha256: str
    encoding: str
    kind: str

    def line(self) -> str:
        """Return the line."""
        return f"{self.part_id} {self.payload_sha256} {self.encoding} {self.kind}\n"


class ContinuityFolder:
    """The copies, as files; each is written once, whole or not at all.

    ``<agreement>/holders/<i>.age`` shares · ``<agreement>/agents/<epoch>/<i>.age`` the agents' own
    share files · ``<agreement>/records/<deposit>/<part>.<epoch>.age`` headers.
    """

    def __init__(self, folder: Path, holders: Holders) -> None:
        self._folder, self._holders = folder, holders
        self._complete: set[AgreementId] = set()
        self._sweep()
        for name, text in _BESIDE.items():
            self._write(Path(name), text, replace=True)

    @contextmanager
    def dealing(self, agreement_id: AgreementId) -> Iterator[Dealing]:
        """Give the agreement's dealing; one to other holders than the settings name is made anew.

        The new one is built beside and takes the place of the old one when the block ends without
        an error, so that shares and copies always fit each other.

        Raises:
            ContinuityUnavailable: the folder cannot be written.
        """
        if self._is_dealt_as_set(agreement_id):
            yield Dealing(self, agreement_id, is_fresh=False)
        else:
            beside = ContinuityFolder(self._folder / _UNFINISHED, self._holders)
            try:
                beside.deal_key(agreement_id)
                yield Dealing(beside, agreement_id, is_fresh=True)
                self._take_over(agreement_id)
            finally:
                shutil.rmtree(self._folder / _UNFINISHED, ignore_errors=True)

    def note_complete(self, agreement_id: AgreementId) -> None:
        """Remember, until the end of this process, that nothing retained lacks a copy."""
        self._complete.add(agreement_id)

    def is_complete(self, agreement_id: AgreementId) -> bool:
        """Tell whether, since the start, every retained header of an agreement was looked at."""
        return agreement_id in self._complete

    def _is_dealt_as_set(self, agreement_id: AgreementId) -> bool:
        if not self.has_key(agreement_id):
            return False
        listed = self._folder / agreement_id / "holders" / _HOLDERS_FILE
        # Dealt before they were listed: as many holders as now are taken for the same.
        if not listed.exists():
            dealt = self.dealt_key(agreement_id)
            return (dealt.k, len(dealt.share_files_sha256)) == (
                self._holders.k,
                len(self._holders.recipients),
            )
        return listed.read_bytes() == self._holders.listed()

    def _take_over(self, agreement_id: AgreementId) -> None:
        """Put the new dealing into the old one's place; at an error the old one stays there."""
        place, left = self._folder / agreement_id, self._folder / _LEFT / agreement_id
        try:
            if place.exists():
                left.parent.mkdir(mode=0o700, exist_ok=True)
                place.rename(left)
            try:
                (self._folder / _UNFINISHED / agreement_id).rename(place)
            except OSError:
                if left.exists():
                    left.rename(place)
                raise
            sync_folder(self._folder)
            shutil.rmtree(self._folder / _LEFT, ignore_errors=True)
        except OSError as problem:
            raise _unavailable(problem) from problem

    def _sweep(self) -> None:
        """Remove what a crash left unfinished: it leads to what may be withdrawn since.

        Cut off between the old dealing's end and the new one's place, the new one is all there is;
        the next deposit finds it not logged and copies everything again.
        """
        for left in self._folder.glob(f"{_UNFINISHED}/*"):
            place = self._folder / left.name
            if left.is_dir() and not place.exists():
                left.rename(place)
        for name in (_UNFINISHED, _LEFT):
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def has_key(self, agreement_id: AgreementId) -> bool:
        """Tell whether the agreement's continuity key was dealt."""
        return (self._folder / agreement_id / KEY_FILE).exists()

    def has_header(
        self, agreement_id: AgreementId, deposit_id: DepositId, part_id: str, epoch: int
    ) -> bool:
        """Tell whether a copy of a header is kept."""
        return (self._folder / _place_of(agreement_id, deposit_id, part_id, epoch)).exists()

    def deal_key(self, agreement_id: AgreementId) -> DealtKey:
        """Make the continuity key of an agreement, split it among the holders, and forget it.

        The recipient is written last: a crash before leaves a dealing that nothing was sealed to.

        Raises:
            ContinuityUnavailable: the folder cannot be written.
        """
        seed, n = secrets.token_bytes(SEED_BYTES), len(self._holders.recipients)
        digests = []
        for index, (share, holder) in enumerate(
            zip(split(seed, self._holders.k, n), self._holders.recipients, strict=True), start=1
        ):
            text = canonical_json(
                {
                    "v": SHARE_VERSION,
                    "agreement_id": agreement_id,
                    "index": index,
                    "k": self._holders.k,
                    "n": n,
                    "share": base64.b64encode(share).decode(),
                }
            )
            sealed = encrypt_bytes(text, [parse_recipient(holder)])
            self._write(Path(agreement_id, "holders", f"{index}.age"), sealed, replace=True)
            digests.append(sha256_hex(sealed))
        recipient = str(hybrid_identity_from_seed(seed).recipient)
        listed = Path(agreement_id, "holders", _HOLDERS_FILE)
        self._write(listed, self._holders.listed(), replace=True)
        quorum = f"{self._holders.k}\n".encode()
        self._write(Path(agreement_id, "holders", _QUORUM_FILE), quorum, replace=True)
        self._write(Path(agreement_id, KEY_FILE), recipient.encode() + b"\n", replace=False)
        return DealtKey(recipient, self._holders.k, tuple(digests))

    def dealt_key(self, agreement_id: AgreementId) -> DealtKey:
        """Return the dealing whose files lie here, for whoever has to log it again.

        Raises:
            ContinuityUnavailable: they cannot be read.
        """
        folder = self._folder / agreement_id
        try:
            recipient = (folder / KEY_FILE).read_text().strip()
            quorum = folder / "holders" / _QUORUM_FILE
            # Dealt before the number was kept: that of the settings.
            k = int(quorum.read_text()) if quorum.exists() else self._holders.k
            files = sorted(folder.glob("holders/*.age"), key=lambda one: int(one.stem))
            return DealtKey(recipient, k, tuple(sha256_hex(one.read_bytes()) for one in files))
        except OSError as problem:
            raise _unavailable(problem) from problem

    def keep_share_file(
        self, agreement_id: AgreementId, epoch: int, index: int, share_file: bytes
    ) -> None:
        """Keep an agent's own sealed share file: with the service off, nobody else has it.

        One of a dealing that was rolled back is replaced: it gives another key.
        """
        place = Path(agreement_id, "agents", str(epoch), f"{index}.age")
        self._write(place, share_file, replace=True)

    def keep_parts(
        self, agreement_id: AgreementId, deposit_id: DepositId, parts: list[CopiedPart]
    ) -> None:
        """Keep the list of a deposit's parts: no names, no digest of any content."""
        text = "".join(part.line() for part in parts)
        place = Path(agreement_id, "records", deposit_id, PARTS_FILE)
        self._write(place, text.encode(), replace=False)

    def keep_header(
        self,
        agreement_id: AgreementId,
        deposit_id: DepositId,
        part_id: str,
        epoch: int,
        header: bytes,
    ) -> Sha256Hex:
        """Seal a header to the continuity key, keep it, and return the copy's digest.

        One that stands there was left by a transaction that never committed, maybe to a sealing
        key that nobody has: it is replaced, and the ledger gets the digest of this one.
        """
        place = _place_of(agreement_id, deposit_id, part_id, epoch)
        recipient = (self._folder / agreement_id / KEY_FILE).read_text().strip()
        sealed = encrypt_bytes(header, [parse_recipient(recipient)])
        self._write(place, sealed, replace=True)
        return sha256_hex(sealed)

    def forget_payloads(self, payloads: Iterable[str], deposits: Collection[str]) -> None:
        """Remove every copy that leads to these payloads, of whatever agreement; repeatable.

        Replicas outside are beyond our reach: who keeps them has to follow.

        Args:
            deposits: of the product; another's copies stay, whatever payload they name.

        Raises:
            ContinuityUnavailable: the folder cannot be written.
        """
        gone = set(payloads)
        for listed in self._folder.glob(f"*/records/*/{PARTS_FILE}"):
            if listed.parent.name not in deposits:
                continue
            lines = listed.read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.split()[1] not in gone]
            if kept == lines:
                continue
            # The list last: a crash before leaves it for the next time.
            for line in set(lines) - set(kept):
                for copy in listed.parent.glob(f"{line.split()[0]}.*.age"):
                    copy.unlink(missing_ok=True)
            self._write(listed.relative_to(self._folder), "".join(kept).encode(), replace=True)

    def forget_agreement(self, agreement_id: AgreementId) -> None:
        """Remove an agreement's copies and shares; repeatable.

        Raises:
            ContinuityUnavailable: the folder cannot be written.
        """
        if (self._folder / agreement_id).exists():
            try:
                shutil.rmtree(self._folder / agreement_id)
            except OSError as problem:
                raise _unavailable(problem) from problem

    def _write(self, place: Path, content: bytes, *, replace: bool) -> None:
        path = self._folder / place
        if path.exists() and not replace:
            return
        staged = path.with_name(f".new-{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with staged.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
            sync_folder(path.parent)
        except OSError as problem:
            raise _unavailable(problem) from problem


def _place_of(agreement_id: AgreementId, deposit_id: DepositId, part_id: str, epoch: int) -> Path:
    return Path(agreement_id, "records", deposit_id, f"{part_id}.{epoch}.age")


def _unavailable(problem: OSError) -> ContinuityUnavailable:
    return ContinuityUnavailable(
        f"The continuity copies cannot be written: {problem.strerror}.",
        "Free space on the keyholder's disk or correct its rights; then try again.",
    )
