"""The only door to Docker: hostile bytes are unpacked, built and run here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from builders.orders import ImageId, Limits, PhaseResult

OnOutput = Callable[[str, bytes], None]
OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class SandboxSettings:
    """Which engine is used, and how. Nothing here is a secret."""

    docker_host: str | None = None
    runtime: str | None = None
    apt_mirror: str | None = None


class Workspace(Protocol):
    """One volume, ``/ws``, in which phases run one after another."""

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
        """Run one command in a fresh container over this workspace."""

    def read_tar(self, path: str, *, limit_bytes: int = ...) -> Iterator[bytes]:
        """Yield a tar of one path of the workspace; hostile, capped."""


class Sandbox(Protocol):
    """One container engine, used under our flags only."""

    def __init__(self, settings: SandboxSettings | None = None) -> None: ...
    def self_test(self) -> None:
        """Run the hostile table; raise SandboxUnsafe naming the row that does not hold."""

    def builder_image(
        self,
        ecosystem: str,
        suite: str = "bookworm",
        *,
        packages: Sequence[str] = (),
        on_progress: OnProgress | None = None,
    ) -> ImageId:
        """Return the id of a builder image, made when absent."""

    def workspace(self, label: str, limits: Limits) -> AbstractContextManager[Workspace]:
        """Open a workspace; it and all its containers are gone afterwards."""

    def sweep(self, label_prefix: str = "") -> int:
        """Remove what dead workers left; return how many things."""
