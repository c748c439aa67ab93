"""The recovery kit: what it says, and what a shell is told to do by it."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from builders.inspector.comparing import collected, comparison, write_results
from builders.inspector.kits import Kit, KitUnreadable
from builders.inspector.relaying import lay_out
from builders.kit import (
    ImageArchive,
    Means,
    PackagedPart,
    UsedImage,
    image_file,
    recovery_kit,
)
from builders.orders import (
    Artifact,
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

ROOT = Path(__file__).parents[3]
VECTOR = ROOT / "docs/protocol/vectors/kit-1.json"

INSPECTOR = UsedImage("inspector", ImageId("sha256:" + "1a" * 32), "escrow/inspector:bookworm-1")
BUILDER = UsedImage("builder", ImageId("sha256:" + "2b" * 32), "escrow/builder-cpp:bookworm-2")
ARCHIVE = ImageArchive("3c" * 32, 3_000, "4d" * 32, 1_000)
LIMITS = Limits(cpus=1.5, memory_bytes=1 << 30, disk_bytes=1 << 28, seconds=60.0)
HOSTILE = 'it\'s "x" $(touch hacked) `id`\n-rf\\'


def kit(name: str = "ledger", directory: str = "", value: str = "0", **phase: object) -> bytes:
    """Return a kit of one component with one part."""
    environment = {"OUT": f"/ws/out/{name}", "VALUE": value}
    build = PhasePlan("build", ("make", 'cp ledger "$OUT"'), environment)
    component = ComponentPlan(
        name, directory, "cpp", "bookworm", "Makefile", (build,), LIMITS, ("$OUT/ledger",)
    )
    ended = replace(PhaseResult("build", 0, False, False, False, 1.0), **phase)
    made = (Artifact(f"out/{name}/ledger", 6, "5e" * 32),)
    result = ComponentResult(name, "pass", (ended,), made, image=BUILDER.id)
    part = InspectedPart("source/core", "source", "tar", 2, 20, None, None, "src")
    unread = InspectedPart("data/dump", "data", "file", 1, 9, None, None, None)
    return recovery_kit(
        Inspection((part, unread), ()),
        TrialBuildPlan((component,), True, 1_700_000_000),
        TrialBuildResult("pass", (result,)),
        Means(LIMITS, (INSPECTOR, BUILDER)),
        {INSPECTOR.id: ARCHIVE, BUILDER.id: ARCHIVE},
        {
            "source/core": PackagedPart("parts/source/core", "6f" * 32, 20),
            "data/dump": PackagedPart("parts/data/dump", "7a" * 32, 9),
        },
    )


def test_the_kit_is_the_published_vector() -> None:
    assert kit().decode() == VECTOR.read_text(encoding="utf-8")


def test_every_image_has_a_line_of_its_own_that_a_shell_can_find() -> None:
    lines = [one for one in kit(HOSTILE).decode().splitlines() if '"imageId":"sha256:' in one]
    images = [one for one in lines if one.startswith('{"archiveSha256":"')]
    assert [json.loads(one.rstrip(","))["imageId"] for one in images] == [INSPECTOR.id, BUILDER.id]


def test_the_steps_are_numbers_and_plain_paths() -> None:
    assert list(Kit(kit()).lines()) == [
        "volume 268435456 400000",
        "part parts/source/core",
        f"run 0 0 {BUILDER.id} 1073741824 1500 512 268435456 passed ledger: build",
        "compare 0 ledger",
    ]


def test_a_failed_phase_is_run_again_and_nothing_is_compared() -> None:
    steps = list(Kit(kit(exit_code=2)).lines())
    assert [one.split()[0] for one in steps] == ["volume", "part", "run"]
    assert " failed ledger: build" in steps[-1]


def test_a_hostile_name_stays_one_line_of_a_step() -> None:
    steps = list(Kit(kit(HOSTILE)).lines())
    assert len(steps) == 4
    assert all(one.isascii() and one.isprintable() for one in steps)


def test_a_script_gives_its_environment_as_it_was_and_runs_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / HOSTILE).mkdir()
    script = Kit(kit(directory=HOSTILE, value=HOSTILE)).script(0, 0)
    script = script.replace("/ws/src", str(tmp_path)).replace("make", 'printf %s "$VALUE"; pwd')
    script = script.replace("/ws/out", str(tmp_path / "out"))
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        capture_output=True,
        text=True,
        env={"http_proxy": "x", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BUILD": "/tmp"},
        check=False,
    )
    assert HOSTILE + str(tmp_path / HOSTILE) in done.stdout
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format":"escrow-kit/2"}'])
def test_another_document_is_no_kit(text: str) -> None:
    with pytest.raises(KitUnreadable):
        Kit(text.encode())


@pytest.mark.parametrize("file", ["../x", "parts/../x", "/etc/x", "parts/a b", "parts/$(x)"])
def test_a_path_that_a_shell_must_not_see(file: str) -> None:
    changed = kit().replace(b"parts/source/core", file.encode())
    with pytest.raises(KitUnreadable):
        list(Kit(changed).lines())


def test_images_of_one_name_have_files_of_their_own() -> None:
    later = UsedImage("builder", ImageId("sha256:" + "99" * 32), BUILDER.name)
    assert image_file(BUILDER) == "images/builder-cpp-bookworm-2-2b2b2b2b2b2b.tar.zst"
    assert image_file(later) != image_file(BUILDER)


def package(document: bytes, **parts: bytes) -> io.BytesIO:
    """Return the tar that rebuild.sh sends."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in {"documents/kit": document, **parts}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def source() -> bytes:
    """Return a deposited archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("project/Makefile")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"all:\n"))
    return stream.getvalue()


def test_a_workspace_is_laid_out_again_and_an_altered_part_is_named(tmp_path: Path) -> None:
    laid = lay_out(bytes(tmp_path), package(kit(), **{"parts/source/core": source()}))
    assert (tmp_path / "src" / "Makefile").read_bytes() == b"all:\n"
    assert laid.altered == ["source/core"]
    assert laid.missing == []


def test_a_part_that_is_not_in_the_package_is_named(tmp_path: Path) -> None:
    assert lay_out(bytes(tmp_path), package(kit())).missing == ["source/core"]


def test_each_result_is_compared_by_its_digest(tmp_path: Path) -> None:
    out = tmp_path / "out" / "ledger"
    out.mkdir(parents=True)
    (out / "ledger").write_bytes(b"other\n")
    (out / "more").write_bytes(b"")
    component = Kit(kit()).components[0]
    words = [word for word, _ in comparison(component, collected(bytes(tmp_path), component))]
    assert words == ["different", "additional"]
    assert [word for word, _ in comparison(component, {})] == ["missing"]


def test_results_are_handed_out_as_plain_files(tmp_path: Path) -> None:
    out = tmp_path / "out" / "ledger"
    out.mkdir(parents=True)
    (out / "ledger").write_bytes(b"made\n")
    (out / "link").symlink_to("/etc/passwd")
    stream = io.BytesIO()
    found = collected(bytes(tmp_path), Kit(kit()).components[0])
    write_results(bytes(tmp_path), found, "rebuilt/deposit-1", stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        members = [(one.name, one.isreg(), one.mode) for one in tar]
    assert members == [("rebuilt/deposit-1/out/ledger/ledger", True, 0o644)]
