"""A workspace: one bounded volume in which the phases of one deposit run one after another.

The volume is a tmpfs and lives while a container mounts it, so a *holder* keeps it: it sleeps,
runs nothing of a deposit, and is the safe place to read outputs from.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from docker.errors import NotFound

from builders.errors import EngineUnavailable, NetworkNotOffered, OutputAbsent, OutputRefused
from builders.orders import ImageId, Limits, PhaseResult
from builders.sandbox_confinement import (
    WORKSPACE_PATH,
    ContainerOrder,
    create_container,
    workspace_volume_options,
)
from builders.sandbox_engine import ENGINE_FAILURES, Engine, run_labels
from builders.sandbox_phase import OutputTerms, remove_container, run_phase
from builders.sandbox_streams import Attachment, OnOutput

# The holder: a shell that makes three directories and sleeps. Little, but enough for its start.
HOLDER_LIMITS = Limits(cpus=1.0, memory_bytes=32 << 20, disk_bytes=1 << 20, seconds=0, processes=16)
HOLDER_SCRIPT = "mkdir /ws/src /ws/home /ws/out && echo ready && exec sleep infinity"

# What one reading of outputs yields at most where the caller names no limit of his own.
OUTPUT_BYTES_MAX = 8 << 30


class Workspace:
    """An open workspace; ``/ws/src``, ``/ws/home`` and ``/ws/out`` are there and empty.

    Used by one thread at a time. After :meth:`close` nothing of it is left in the engine.
    """

    def __init__(self, engine: Engine, label: str, limits: Limits, holder_image: ImageId) -> None:
        self._engine = engine
        self._limits = limits
        self._labels = run_labels(label, limits.seconds)
        self._volume = f"escrow-{uuid.uuid4().hex}"
        self._holder: str | None = None
        try:
            self._create_volume()
            self._start_holder(holder_image)
        except BaseException:
            self.close()
            raise

    def _create_volume(self) -> None:
        with self._engine.answering():
            self._engine.api.create_volume(
                self._volume,
                driver="local",
                driver_opts=workspace_volume_options(self._limits, self._engine.workspace_uid),
                labels=self._labels,
            )

    def _start_holder(self, image: ImageId) -> None:
        """Start the holder and wait until its directories are there."""
        argv = ("sh", "-c", HOLDER_SCRIPT)
        with self._engine.answering():
            api = self._engine.api
            self._holder = create_container(
                api, self._order(image, argv, {}, HOLDER_LIMITS, WORKSPACE_PATH)
            )
            heard = Attachment(api, self._holder)
            api.start(self._holder)
        try:
            if next(heard.frames(), ("", b"")) != ("stdout", b"ready\n"):
                raise EngineUnavailable(
                    "The container engine could not prepare a workspace.",
                    "Check that the engine may mount tmpfs volumes; the same call may work later.",
                )
        finally:
            heard.close()

    def _order(
        self,
        image: ImageId,
        argv: Sequence[str],
        environment: Mapping[str, str],
        limits: Limits,
        working_directory: str,
        takes_stdin: bool = False,
    ) -> ContainerOrder:
        return ContainerOrder(
            image=image,
            argv=argv,
            environment=environment,
            working_directory=working_directory,
            limits=replace(limits, cpus=min(limits.cpus, self._engine.cpus)),
            volume=self._volume,
            labels=self._labels,
            runtime=self._engine.settings.runtime,
            takes_stdin=takes_stdin,
        )

    def run(
        self,
        image: ImageId,
        argv: Sequence[str],
        *,
        phase: str,
        environment: Mapping[str, str],
        limits: Limits,
        stdin: Iterable[bytes] | None = None,
        stdout_limit_bytes: int,
        on_output: OnOutput | None = None,
        network: bool = False,
        working_directory: str = "/ws/src",
    ) -> PhaseResult:
        """Run one command in a fresh container over this workspace.

        Args:
            image: by id, so that nobody can put another one under its name.
            argv: the command; no shell unless it names one. An unknown command ends with 127.
            environment: everything the command sees beside the image's own constants.
            limits: of this phase; ``disk_bytes`` bounds its largest file, the volume the sum.
            stdin: sent from the calling thread while the command runs, then closed.
            stdout_limit_bytes: of both streams together; more ends the command as a flood.
            on_output: called as (stream, bytes) from another thread while the command runs.
            network: no phase has the network while no recording proxy is there.

        Raises:
            EngineUnavailable: the engine broke; nothing is known about the command.
            NetworkNotOffered: ``network`` was asked for.
        """
        if network:
            raise NetworkNotOffered(
                "A phase with network is not offered by this sandbox.",
                "Deposit what the build fetches (vendor/, deps/) together with the source.",
            )
        order = self._order(
            image, argv, environment, limits, working_directory, takes_stdin=stdin is not None
        )
        terms = OutputTerms(stdout_limit_bytes, on_output)
        return run_phase(self._engine, order, phase, terms, stdin)

    def read_tar(self, path: str, *, limit_bytes: int = OUTPUT_BYTES_MAX) -> Iterator[bytes]:
        """Yield a tar of one file or directory of the workspace, as it is read.

        The tar is hostile: names, links and kinds of members are what a build left behind. Stream
        it, take regular files only, and trust no path.

        Raises:
            OutputAbsent: nothing lies there.
            OutputRefused: it is larger than ``limit_bytes`` (holes of sparse files count).
            EngineUnavailable: the engine broke.
        """
        taken = 0
        for chunk in self._archive(path):
            taken += len(chunk)
            if taken > limit_bytes:
                raise OutputRefused(
                    f"What the build left at an output path is larger than {limit_bytes} bytes.",
                    "Name the files to keep more narrowly, or raise the limit of the recipe.",
                )
            yield chunk

    def _archive(self, path: str) -> Iterator[bytes]:
        try:
            with self._engine.answering():
                chunks, _ = self._read_holder(path)
                yield from chunks
        except EngineUnavailable as problem:
            if isinstance(problem.__cause__, NotFound):
                raise OutputAbsent(
                    "Nothing lies at an output path that the recipe names.",
                    "Correct the path in the recipe, or make the build write there.",
                ) from problem
            raise

    def _read_holder(self, path: str) -> tuple[Iterator[bytes], Any]:
        chunks, facts = self._engine.api.get_archive(self._holder or "", path)
        return chunks, facts

    def close(self) -> None:
        """Remove holder and volume. What cannot be removed now, the sweeper takes later."""
        if self._holder is not None:
            remove_container(self._engine, self._holder)
        # Tidying must not hide the error that led here.
        with contextlib.suppress(*ENGINE_FAILURES):
            self._engine.api.remove_volume(self._volume, force=True)
