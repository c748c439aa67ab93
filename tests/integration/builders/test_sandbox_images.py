"""Builder images: found again, complete, and able to build under our confinement."""

import pytest

from builders.errors import EcosystemNotOffered, SystemPackagesNotOffered
from builders.orders import Limits, PhaseResult
from builders.sandbox import ECOSYSTEMS, Sandbox

ROOM = Limits(cpus=2, memory_bytes=512 << 20, disk_bytes=128 << 20, seconds=60)

C_PROGRAM = r"""printf '#include <stdio.h>\nint main(void){puts("built");}\n' >a.c"""
PROOFS = {
    "cpp": f"{C_PROGRAM} && printf 'a: a.c\\n' >Makefile && make && ./a && cmake --version",
    "python": "python3 -c 'import multiprocessing as m; print(m.Pool(2).map(abs, [-1]))' && "
    "python3 -m build --version && python3 -m venv v && v/bin/python -m pip --version",
    "node": 'npm --version && node -e \'new (require("worker_threads").Worker)'
    '("console.log(42)",{eval:true})\'',
    "inspector": "git --version && bsdtar --version && zstd --version",
}


def run_in(sandbox: Sandbox, ecosystem: str, line: str) -> PhaseResult:
    image = sandbox.builder_image(ecosystem)
    with sandbox.workspace("tests/images", ROOM) as workspace:
        return workspace.run(
            image,
            ("sh", "-c", line),
            phase="build",
            environment={},
            limits=ROOM,
            stdout_limit_bytes=100_000,
        )


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_tools_work_under_confinement(sandbox: Sandbox, ecosystem: str) -> None:
    result = run_in(sandbox, ecosystem, PROOFS[ecosystem])
    assert result.succeeded, result


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_image_tells_its_packages_and_gives_no_rights(sandbox: Sandbox, ecosystem: str) -> None:
    result = run_in(
        sandbox,
        ecosystem,
        "grep -c = /etc/escrow-packages.lock; find / -xdev -perm /6000 -type f 2>/dev/null",
    )
    count, *files_with_rights = result.stdout.decode().split()
    assert int(count) > 60
    assert files_with_rights == []


def test_image_is_made_once(sandbox: Sandbox) -> None:
    told: list[str] = []
    first = sandbox.builder_image("cpp")
    assert sandbox.builder_image("cpp", on_progress=told.append) == first
    assert told == []


def test_unknown_ecosystem_and_suite_are_not_offered(sandbox: Sandbox) -> None:
    with pytest.raises(EcosystemNotOffered, match="cobol"):
        sandbox.builder_image("cobol")
    with pytest.raises(EcosystemNotOffered, match="sarge"):
        sandbox.builder_image("cpp", "sarge")


def test_unknown_system_package_is_the_recipes_fault(sandbox: Sandbox) -> None:
    with pytest.raises(SystemPackagesNotOffered, match="libno-such-thing-dev"):
        sandbox.builder_image("inspector", packages=["libno-such-thing-dev"])


def test_package_name_is_no_way_into_the_image_build(sandbox: Sandbox) -> None:
    with pytest.raises(SystemPackagesNotOffered):
        sandbox.builder_image("inspector", packages=["zlib1g; touch /owned"])
