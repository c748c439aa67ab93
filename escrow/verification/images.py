"""Builder images, kept once for each installation, so that a package can hold what it was built by.

An image is made of public packages by a recipe of ours; nothing of a vendor is in it. So it is
stored unsealed, under the digest of its archive, and one copy serves every deposit. What it is, is
bound twice: by its id, which an engine compares while it loads, and by the digest that a kit names.
Nothing removes an image from the store.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zstandard

from builders.kit import ImageArchive, UsedImage, image_file
from builders.orders import ImageId
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.digests import Sha256Hex
from escrow.vault.blobs import BlobStore
from escrow.verification import records
from escrow.verification.records import BuilderImageRow

# Done once, and fetched by everybody: level 3 is 12 % smaller than level 1 for a second more.
_LEVEL = 3
# With workers of its own the library cuts its input the same way however many there are, so that
# one image gives one archive.
_THREADS = 2

# One image is hundreds of megabytes of reading: two jobs of one process do not do it side by side.
_keeping = threading.Lock()

Save = Callable[[ImageId], Iterator[bytes]]


@dataclass(frozen=True)
class ImageKeeper:
    """Puts images into the store, each once."""

    database: Database
    blobs: BlobStore
    clock: Clock

    def keep(self, image: UsedImage, save: Save) -> ImageArchive:
        """Return the archive of an image, stored when it was not yet.

        May run twice, and in two workers at once: the first row stands. A crash leaves an archive
        that nothing names, and the next try stores the same one.

        Args:
            save: yields the image as a tar.

        Raises:
            BuilderError, BlobStoreUnavailable: ours; nothing is written down.
        """
        known = self._known(image)
        if known is not None:
            return known
        with _keeping:
            return self._known(image) or self._store(image, save)

    def _known(self, image: UsedImage) -> ImageArchive | None:
        with self.database.reading() as session:
            row = records.builder_image(session, image.id)
        # A row whose archive was lost is mended by storing the image again.
        if row is None or not self.blobs.exists(Sha256Hex(row.archive_sha256)):
            return None
        return _archive(row)

    def _store(self, image: UsedImage, save: Save) -> ImageArchive:
        archive = self._compressed(save(image.id))
        row = BuilderImageRow(
            image_id=image.id,
            name=image.name,
            file=image_file(image),
            tar_sha256=archive.tar_sha256,
            tar_size_bytes=archive.tar_size_bytes,
            archive_sha256=archive.archive_sha256,
            archive_size_bytes=archive.archive_size_bytes,
            kept_at=self.clock.now(),
        )
        with self.database.writing() as session:
            stands = records.keep_builder_image(session, row)
            if not self.blobs.exists(Sha256Hex(stands.archive_sha256)):
                stands = records.replace_builder_image(session, row)
            return _archive(stands)

    def _compressed(self, pieces: Iterator[bytes]) -> ImageArchive:
        tar, archive, tar_size = hashlib.sha256(), hashlib.sha256(), 0
        parameters = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL, threads=_THREADS, write_checksum=True
        )
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        staging = self.blobs.stage()
        try:
            for piece in pieces:
                tar.update(piece)
                tar_size += len(piece)
                packed = compressor.compress(piece)
                archive.update(packed)
                staging.append(packed)
            packed = compressor.flush()
            archive.update(packed)
            staging.append(packed)
            size = staging.size_bytes
            staging.commit(Sha256Hex(archive.hexdigest()))
        except BaseException:
            staging.discard()
            raise
        return ImageArchive(tar.hexdigest(), tar_size, archive.hexdigest(), size)


def _archive(row: BuilderImageRow) -> ImageArchive:
    return ImageArchive(
        row.tar_sha256, row.tar_size_bytes, row.archive_sha256, row.archive_size_bytes
    )
