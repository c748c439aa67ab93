"""Each row of the hostile table holds in our containers, and would not hold in plain ones."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

import pytest

from builders.errors import SandboxUnsafe
from builders.orders import ImageId
from builders.sandbox import Sandbox, Workspace
from builders.sandbox_selftest import HOSTILE_TABLE, WORKSPACE_LIMITS, HostileRow, check_row

# What an engine's defaults let through, with the one more slip that some rows are there for.
SLIPS = {
    "fork_bomb": (),
    "memory_bomb": (),
    "disk_fill": (),
    "big_file": (),
    "inode_bomb": (),
    "rootfs_write": (),
    "host_reach": ("--env", "REGISTRY_PASSWORD=x"),
    "network_reach": (),
    "privileges": (),
    "devices": (),
    "kernel_settings": ("--security-opt=systempaths=unconfined",),
    "forbidden_syscalls": (),
}


@pytest.fixture(scope="module")
def hostile_workspace(sandbox: Sandbox) -> Iterator[Workspace]:
    with sandbox.workspace("tests/hostile", WORKSPACE_LIMITS) as opened:
        yield opened


@pytest.mark.parametrize("row", HOSTILE_TABLE[:-3] + HOSTILE_TABLE[-1:], ids=lambda row: row.name)
def test_attack_comes_to_nothing(
    hostile_workspace: Workspace, inspector_image: ImageId, row: HostileRow
) -> None:
    result = check_row(hostile_workspace, inspector_image, row)
    assert b"broke" not in result.stdout


def test_daemon_does_not_outlive_its_phase(
    hostile_workspace: Workspace, inspector_image: ImageId
) -> None:
    leave, find = HOSTILE_TABLE[-3:-1]
    assert (leave.name, find.name) == ("leave_daemon", "find_daemon")
    check_row(hostile_workspace, inspector_image, leave)
    assert check_row(hostile_workspace, inspector_image, find).stdout == b"held\n"


@pytest.mark.parametrize("row", SLIPS)
def test_attack_gets_through_where_nothing_confines_it(inspector_image: ImageId, row: str) -> None:
    attacks = (resources.files("builders") / "sandbox_attacks.py").read_text()
    plain = ["docker", "run", "--rm", "--user=0", "--tmpfs=/ws/src", *SLIPS[row], inspector_image]
    done = subprocess.run(
        [*plain, "python3", "-c", attacks, row], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("broke: "), done


def test_row_that_does_not_hold_is_named(
    hostile_workspace: Workspace, inspector_image: ImageId
) -> None:
    lax = HostileRow("big_file", replace(WORKSPACE_LIMITS, disk_bytes=30 << 20))
    with pytest.raises(SandboxUnsafe, match="a file of 24 MiB") as refused:
        check_row(hostile_workspace, inspector_image, lax)
    assert refused.value.row == "big_file"


def test_self_test_runs_once_per_process(sandbox: Sandbox) -> None:
    sandbox.self_test()
    told: list[str] = []
    sandbox.self_test(told.append)
    assert told == []
