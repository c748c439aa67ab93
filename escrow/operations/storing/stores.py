"""Open the stores that the settings name: the primary for portal and worker, the replica for one.

The portal never opens the replica, and has no credentials for it where processes run apart: whoever
takes the portal over reaches one copy of what is sealed, not both.
"""

from __future__ import annotations

from pathlib import Path

from escrow.ground.clock import Clock
from escrow.ground.settings import Settings
from escrow.ground.storage_settings import S3Settings
from escrow.vault.blobs import BlobStore, FileBlobStore
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.s3 import S3BlobStore, S3Shelf
from escrow.vault.storage.s3_wire import Bucket

PRIMARY, REPLICA = "primary", "replica"


def primary_store(settings: Settings, staging: str, clock: Clock) -> BlobStore:
    """Open the store that arriving payloads go to.

    Args:
        settings: of this process.
        staging: this process's own staging folder.
        clock: retentions count from its now.

    Raises:
        StoreIncomplete, BadStoreCredentials: its settings do not go together.
        BlobStoreUnavailable: the bucket is not there, or has no Object Lock and should.
    """
    plan = settings.storage
    if isinstance(plan.primary, S3Settings):
        return _bucket_store(Bucket(plan.primary), plan.staging / staging, clock)
    return FileBlobStore(plan.primary, staging)


def replica_place(settings: Settings, clock: Clock, staging: str = "staging") -> Place | None:
    """Open the second copy, None where none is set; for the worker.

    Args:
        settings: of this process.
        clock: retentions count from its now.
        staging: this process's own staging folder.

    Raises:
        StoreIncomplete, BadStoreCredentials, BlobStoreUnavailable: as above.
    """
    plan = settings.storage
    match plan.replica:
        case None:
            return None
        case S3Settings() as bucket_settings:
            bucket = Bucket(bucket_settings)
            own = plan.staging / f"{staging}-replica"
            return Place(REPLICA, _bucket_store(bucket, own, clock), S3Shelf(bucket))
        case folder:
            return Place(REPLICA, FileBlobStore(folder, staging, flat=True), FileShelf(folder))


def _bucket_store(bucket: Bucket, staging: Path, clock: Clock) -> S3BlobStore:
    store = S3BlobStore(bucket, staging, clock)
    store.check_usable()
    return store
