"""What can go wrong in the vault; each class answers one question and has one stable code."""

from __future__ import annotations

from datetime import datetime

from escrow.ground.errors import (
    InvalidInput,
    NotFound,
    NotPermitted,
    Refused,
    Tampered,
    Unavailable,
)

# --- keys and headers -------------------------------------------------------------------------


class BadRecipient(InvalidInput):
    """A text that should be an age recipient is none that we can seal to."""

    code = "vault.bad-recipient"


class BadIdentity(InvalidInput):
    """A text or file that should be an age identity is none."""

    code = "vault.bad-identity"


class MixedRecipients(InvalidInput):
    """One header was asked for post-quantum and classical recipients together."""

    code = "vault.mixed-recipients"


class WrongPassphrase(Refused):
    """The passphrase does not open this file."""

    code = "vault.wrong-passphrase"


class HeaderMalformed(Tampered):
    """An age header breaks the format of age-encryption.org/v1."""

    code = "vault.header-malformed"


class HeaderForged(Tampered):
    """An age header was changed by someone who does not know the file key."""

    code = "vault.header-forged"


class NoIdentityMatches(Refused):
    """A header was made for other keys than those at hand."""

    code = "vault.no-identity-matches"


class HeaderRecordSwapped(Tampered):
    """A header record does not belong to the agreement, deposit or part that it was read for."""

    code = "vault.header-record-swapped"


class CommitmentBroken(Tampered):
    """A file key is not the one that was committed to when the deposit was acknowledged."""

    code = "vault.commitment-broken"


# --- payloads ---------------------------------------------------------------------------------


class PayloadTampered(Tampered):
    """A sealed payload was changed: a chunk does not authenticate, or bytes follow the end."""

    code = "vault.payload-tampered"


class PayloadTruncated(Tampered):
    """A sealed payload ends before its final chunk."""

    code = "vault.payload-truncated"


class PayloadDigestWrong(Tampered):
    """A payload opens, but is not the one whose digests were recorded."""

    code = "vault.payload-digest-wrong"


class FramesMalformed(Tampered):
    """An authentic payload said to be zstd is not a sequence of whole frames."""

    code = "vault.frames-malformed"


class NotClientSealed(InvalidInput):
    """A part that its vendor is said to have sealed is no age file of the form that is taken."""

    code = "vault.not-client-sealed"


class SealingLost(Refused):
    """A sealing that was interrupted cannot be resumed: its scratch or staging is gone."""

    code = "vault.sealing-lost"


class SealingOver(Refused):
    """Bytes were offered to a sealing that is finishing, finished or discarded."""

    code = "vault.sealing-over"


# --- blobs ------------------------------------------------------------------------------------


class BadBlobName(InvalidInput):
    """A text that should be a SHA-256 in hex is none."""

    code = "vault.bad-blob-name"


class BlobMissing(NotFound):
    """No blob is stored under this digest."""

    code = "vault.blob-missing"


class BlobLocked(Refused):
    """A lock of the store keeps a blob for a while.

    Attributes:
        until: when the store lets it go.
    """

    code = "vault.blob-locked"

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"The store keeps this payload until {until.date().isoformat()}.",
            "Nothing has to be done: nobody has a key to it, and it is removed after that day.",
        )
        self.until = until


class BlobCorrupted(Tampered):
    """The bytes stored under a digest do not have that digest."""

    code = "vault.blob-corrupted"


class BlobStoreUnavailable(Unavailable):
    """The store did not take or give the bytes: disk full, or an input/output error."""

    code = "vault.blob-store-unavailable"


class StagingMissing(NotFound):
    """No staging of this name is waiting to be continued."""

    code = "vault.staging-missing"


# --- key managers -----------------------------------------------------------------------------


class BadKeyId(InvalidInput):
    """A key id has characters that a key manager does not take."""

    code = "vault.bad-key-id"


class KeyExists(Refused):
    """A key of this id exists already; a key is never overwritten."""

    code = "vault.key-exists"


class KeyMissing(NotFound):
    """The key manager has no key of this id."""

    code = "vault.key-missing"


class KeyDestroyed(Refused):
    """The key of this id was destroyed; what it wrapped can never be opened again."""

    code = "vault.key-destroyed"


class UnwrapFailed(Tampered):
    """A wrapped value was changed, or is offered for another purpose than it was wrapped for."""

    code = "vault.unwrap-failed"

    @classmethod
    def of_record(cls) -> UnwrapFailed:
        """Return the error of a record that does not open where it was read."""
        return cls(
            "A wrapped secret was changed, or belongs to something else.",
            "Do not use it; restore the record from a replica and tell the operator.",
        )


class KeyManagerUnavailable(Unavailable):
    """The key manager does not answer, or refuses us."""

    code = "vault.key-manager-unavailable"


class KeyStillThere(Unavailable):
    """The key manager was told to destroy a key, and says that it has it still."""

    code = "vault.key-still-there"

    def __init__(self, answer: str) -> None:
        super().__init__(
            f"A key was to be destroyed, and the key manager still has it: {answer}.",
            "Nothing was certified; see in the key manager what keeps the key, and it is tried "
            "again.",
        )


# --- shares, ceremony, lanes, permits ---------------------------------------------------------


class BadQuorum(InvalidInput):
    """The numbers k and n make no quorum that we allow."""

    code = "vault.bad-quorum"


class BadShares(InvalidInput):
    """Shares are malformed, too few, or given twice."""

    code = "vault.bad-shares"


class ShareOfAnother(InvalidInput):
    """A share was not dealt to whoever gives it, or not for this."""

    code = "vault.share-of-another"


class BadShareFile(InvalidInput):
    """A share file opens but does not hold what a share file holds."""

    code = "vault.bad-share-file"


class CanaryClosed(Refused):
    """The canary shares do not open the canary."""

    code = "vault.canary-closed"


class BadLaneAnnouncement(Tampered):
    """A lane key was not signed by the keyholder, or for another deposit."""

    code = "vault.bad-lane-announcement"


class LaneMissing(NotFound):
    """No lane was opened for this deposit."""

    code = "vault.lane-missing"


class LaneNeeded(Refused):
    """A lane is to be destroyed that is still the only way to a sealed deposit's parts."""

    code = "vault.lane-needed"


class LaneClosed(Refused):
    """The lane of this deposit is closed; nobody opens it any more without the agents."""

    code = "vault.lane-closed"


class PermitRefused(NotPermitted):
    """A permit does not cover what is asked for."""

    code = "vault.permit-refused"


class DocumentMissing(NotFound):
    """No sealed document of this id is kept."""

    code = "vault.document-missing"
