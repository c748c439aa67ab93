"""The only door to Docker: hostile bytes are unpacked, built and run here and nowhere else.

Guarantees: one fresh container per phase, without network, capabilities or a writable root, under
limits of time, memory, disk, files, processes and output; nothing of a phase outlives it. It does
*not* decide what is run, nor what a result means. A failed command is a result; a broken engine is
:class:`~builders.errors.EngineUnavailable` (try later).

The parts: ``sandbox_engine`` (connection), ``sandbox_images``, ``sandbox_confinement`` (flags),
``sandbox_workspace``, ``sandbox_phase``, ``sandbox_streams``, ``sandbox_selftest``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from docker.errors import APIError

from builders.orders import ImageId, Limits
from builders.sandbox_engine import LABEL_RUN, Engine, OnProgress, SandboxSettings, is_abandoned
from builders.sandbox_images import ECOSYSTEMS, ImageStore
from builders.sandbox_phase import remove_container
from builders.sandbox_selftest import check_hostile_table
from builders.sandbox_streams import OnOutput
from builders.sandbox_workspace import Workspace

__all__ = ["ECOSYSTEMS", "OnOutput", "OnProgress", "Sandbox", "SandboxSettings", "Workspace"]

DEFAULT_SUITE = "bookworm"


def _silent(_: str) -> None:
    """Take progress that nobody asked for."""


class Sandbox:
    """One container engine, used under our flags only. Making one reaches for nothing."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self._engine = Engine(settings or SandboxSettings())
        self._images = ImageStore(self._engine)

    def self_test(self, on_progress: OnProgress = _silent) -> None:
        """Run the hostile table once for this engine, runtime and code in this process.

        Raises:
            SandboxUnsafe: a row does not hold; nothing may be run in this engine.
            EngineUnavailable: no engine answers.
        """
        image = self.builder_image("inspector", on_progress=on_progress)
        check_hostile_table(self._engine, image, self.workspace, on_progress)

    def builder_image(
        self,
        ecosystem: str,
        suite: str = DEFAULT_SUITE,
        *,
        packages: Sequence[str] = (),
        on_progress: OnProgress = _silent,
    ) -> ImageId:
        """Return the id of a builder image, made when absent (minutes) or outdated.

        Args:
            ecosystem: one of ECOSYSTEMS.
            suite: the Debian release it stands on, ``bookworm`` or ``trixie``.
            packages: further Debian packages; they make a derived image, recorded like any other.
            on_progress: told one line at a time while something is being made.

        Raises:
            EcosystemNotOffered, SystemPackagesNotOffered: nothing like this is offered.
            ImageNotBuilt: it could not be made on this machine.
            EngineUnavailable: no engine answers.
        """
        return self._images.builder_image(ecosystem, suite, packages, on_progress)

    def image_name(self, image: ImageId) -> str:
        """Return the name that an image was made under; '' for one that is not of our making.

        Raises:
            EngineUnavailable: no engine answers, or it does not have the image.
        """
        return self._images.name(image)

    def save_image(self, image: ImageId) -> Iterator[bytes]:
        """Yield an image as the tar that ``docker load`` takes.

        Raises:
            EngineUnavailable: no engine answers, or it does not have the image.
        """
        return self._images.save(image)

    @contextmanager
    def workspace(self, label: str, limits: Limits) -> Iterator[Workspace]:
        """Open a workspace; it and every container of it are gone afterwards.

        Args:
            label: whose it is; the sweeper finds it by the label's beginning.
            limits: ``disk_bytes`` and ``files`` bound the volume; ``seconds`` says after how long
                (and an hour) a workspace whose owner cannot be seen counts as abandoned.

        Raises:
            EngineUnavailable: no engine answers.
        """
        holder_image = self._images.base_image(DEFAULT_SUITE, _silent)
        opened = Workspace(self._engine, label, limits, holder_image)
        try:
            yield opened
        finally:
            opened.close()

    def sweep(self, label_prefix: str = "") -> int:
        """Remove the containers and volumes that dead workers left; return how many.

        Only things labelled as ours are touched, and only when their owner is surely gone: a
        process of this machine that no longer lives, or a deadline long past.

        Raises:
            EngineUnavailable: no engine answers.
        """
        with self._engine.answering():
            api = self._engine.api
            ours = {"label": LABEL_RUN}
            containers = api.containers(all=True, filters=ours)
            volumes = api.volumes(filters=ours)["Volumes"] or []
        lost = [each["Id"] for each in containers if _is_lost(each["Labels"], label_prefix)]
        for container in lost:
            remove_container(self._engine, container)
        lost_volumes = [each["Name"] for each in volumes if _is_lost(each["Labels"], label_prefix)]
        for volume in lost_volumes:
            with self._engine.answering():
                try:
                    api.remove_volume(volume, force=True)
                except APIError as problem:
                    if not problem.is_client_error():  # another sweeper may have been faster
                        raise
        return len(lost) + len(lost_volumes)


def _is_lost(labels: dict[str, str] | None, prefix: str) -> bool:
    known = labels or {}
    return known.get(LABEL_RUN, "").startswith(prefix) and is_abandoned(known, time.time())
