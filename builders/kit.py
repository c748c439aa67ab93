"""The recovery kit: what a trial build ran and what it made, as one document to rebuild by.

Pure. A kit says everything that a rebuild needs beside the deposited parts and the images that it
names by digest, and nothing that could not be said in fifteen years: no address, no moving tag.
The format and its test vector: ``docs/protocol/kit.md``. Who reads it: :mod:`builders.inspector`,
in the very image that the kit names, so that a kit never meets a reader of another time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from builders.inspector.kits import FORMAT
from builders.orders import (
    ComponentPlan,
    ComponentResult,
    ImageId,
    InspectedPart,
    Inspection,
    Limits,
    PhasePlan,
    PhaseResult,
    TrialBuildPlan,
    TrialBuildResult,
)

Role = Literal["inspector", "builder"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class UsedImage:
    """An image that a trial build ran. ``name`` is for people: it may mean another one later."""

    role: Role
    id: ImageId
    name: str


@dataclass(frozen=True)
class Means:
    """With what a trial build was made: the bounds of its workspace, and every image that ran."""

    workspace: Limits
    images: tuple[UsedImage, ...]


@dataclass(frozen=True)
class ImageArchive:
    """An image as it is stored: a tar of the engine's own form, compressed with zstd."""

    tar_sha256: str
    tar_size_bytes: int
    archive_sha256: str
    archive_size_bytes: int


@dataclass(frozen=True)
class PackagedPart:
    """A deposited part: ``file`` is its path in a package, below the folder of its deposit."""

    file: str
    sha256: str
    size_bytes: int


def image_file(image: UsedImage) -> str:
    """Return the path of an image in a package.

    The id stands in it: the same name made at another time is another image.
    """
    name = _UNSAFE.sub("-", image.name.rpartition("/")[2]).strip(".-") or "image"
    return f"images/{name[:80]}-{image.id.removeprefix('sha256:')[:12]}.tar.zst"


def recovery_kit(
    inspection: Inspection,
    plan: TrialBuildPlan,
    result: TrialBuildResult,
    means: Means,
    archives: Mapping[ImageId, ImageArchive],
    parts: Mapping[str, PackagedPart],
) -> bytes:
    """Return the kit of a trial build, whether it passed or failed.

    The same values give the same bytes. Each image, part and component has a line of its own, so
    that a shell without a JSON reader finds the images.

    Args:
        archives: of every image of ``means``.
        parts: by the name that they have in the inspection.
    """
    results = {one.name: one for one in result.components}
    head = {
        "drafted": plan.drafted,
        "format": FORMAT,
        "sourceDateEpoch": plan.source_date_epoch,
        "verdict": result.verdict,
        "workspace": {"diskBytes": means.workspace.disk_bytes, "files": means.workspace.files},
    }
    rows: Sequence[tuple[str, Iterable[object]]] = (
        ("images", (_image(one, archives[one.id]) for one in means.images)),
        ("parts", (_part(one, parts[one.name]) for one in inspection.parts)),
        ("components", (_component(one, results.get(one.name)) for one in plan.components)),
    )
    return b"".join((_json(head)[:-1].encode(), *_lists(rows), b"}\n"))


def _lists(rows: Iterable[tuple[str, Iterable[object]]]) -> Iterator[bytes]:
    for name, values in rows:
        lines = ",\n".join(_json(value) for value in values)
        yield f',\n"{name}":[\n{lines}\n]'.encode()


def _image(image: UsedImage, archive: ImageArchive) -> dict[str, object]:
    return {
        "archiveSha256": archive.archive_sha256,
        "archiveSizeBytes": archive.archive_size_bytes,
        "file": image_file(image),
        "imageId": image.id,
        "name": image.name,
        "role": image.role,
        "tarSha256": archive.tar_sha256,
        "tarSizeBytes": archive.tar_size_bytes,
    }


def _part(part: InspectedPart, packaged: PackagedPart) -> dict[str, object]:
    return {
        "commit": part.commit,
        "file": packaged.file,
        "kind": part.kind,
        # What its bytes are: the inspector takes its own word as it took the depositor's.
        "media": part.media,
        "name": part.name,
        "place": part.place,
        "sha256": packaged.sha256,
        "sizeBytes": packaged.size_bytes,
    }


def _component(plan: ComponentPlan, result: ComponentResult | None) -> dict[str, object]:
    ran = {one.phase: one for one in (result.phases if result else ())}
    return {
        "artifacts": [
            {"path": one.path, "sha256": one.sha256, "sizeBytes": one.size_bytes}
            for one in (result.artifacts if result else ())
        ],
        "because": plan.because,
        "directory": plan.directory,
        "ecosystem": plan.ecosystem,
        "imageId": result.image if result else None,
        "limits": _limits(plan.limits),
        "name": plan.name,
        "patterns": list(plan.artifacts),
        "phases": [_phase(one, ran.get(one.name)) for one in plan.phases],
        "suite": plan.suite,
        "systemPackages": list(plan.system_packages),
        "verdict": result.verdict if result else None,
    }


def _limits(limits: Limits) -> dict[str, int]:
    # Whole numbers only: readers differ in how they print fractions.
    return {
        "cpusThousandths": round(limits.cpus * 1000),
        "diskBytes": limits.disk_bytes,
        "memoryBytes": limits.memory_bytes,
        "milliseconds": round(limits.seconds * 1000),
        "processes": limits.processes,
    }


def _phase(plan: PhasePlan, result: PhaseResult | None) -> dict[str, object]:
    return {
        "commands": list(plan.commands),
        "environment": dict(plan.environment),
        "exitCode": result.exit_code if result else None,
        "name": plan.name,
        "network": "none",
        "ran": result is not None,
        "succeeded": result is not None and result.succeeded,
    }


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
