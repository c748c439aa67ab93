"""What a phase says and how it ended comes back exactly, whatever it does."""

import hashlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import docker
import pytest

from builders.errors import EngineUnavailable, NetworkNotOffered, OutputAbsent, OutputRefused
from builders.orders import ImageId, Limits, PhaseResult
from builders.sandbox import Sandbox, SandboxSettings, Workspace

MEBIBYTE = 1 << 20
ROOM = Limits(cpus=2, memory_bytes=512 << 20, disk_bytes=256 << 20, seconds=60)
Run = Callable[..., PhaseResult]


def things_labelled(label: str) -> list[object]:
    with_label = {"label": f"escrow.run={label}"}
    client = docker.from_env()
    try:
        containers = client.containers.list(all=True, filters=with_label)
        return [*containers, *client.volumes.list(filters=with_label)]
    finally:
        client.close()


def mebibytes(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield number.to_bytes(4, "big") * (MEBIBYTE // 4)


def test_output_and_exit_code_come_back(run: Run) -> None:
    result = run("echo told; echo complained >&2; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"told\n", b"complained\n")
    assert not result.succeeded


def test_unknown_command_is_a_result(workspace: Workspace, inspector_image: ImageId) -> None:
    result = workspace.run(
        inspector_image,
        ("no-such-tool",),
        phase="build",
        environment={},
        limits=ROOM,
        stdout_limit_bytes=1000,
    )
    assert result.exit_code == 127


def test_command_sees_our_environment_and_no_other(run: Run) -> None:
    said = run("env", environment={"SOURCE_DATE_EPOCH": "1"}).stdout.decode()
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert "SOURCE_DATE_EPOCH" in names
    assert not [name for name in names if "proxy" in name.lower() or "docker" in name.lower()]


def test_short_output_is_never_lost(run: Run) -> None:
    said = [run(f"echo line {number}").stdout for number in range(10)]
    assert said == [f"line {number}\n".encode() for number in range(10)]


def test_output_arrives_while_the_command_runs(run: Run) -> None:
    arrivals: list[tuple[float, bytes]] = []
    run(
        "echo first; sleep 1; echo last",
        on_output=lambda _, piece: arrivals.append((time.monotonic(), piece)),
    )
    assert b"".join(piece for _, piece in arrivals) == b"first\nlast\n"
    assert arrivals[-1][0] - arrivals[0][0] > 0.5


def test_output_beyond_the_cap_ends_the_command(run: Run) -> None:
    heard: list[bytes] = []
    result = run("yes", stdout_limit_bytes=100_000, on_output=lambda _, piece: heard.append(piece))
    assert result.output_flooded
    assert result.exit_code is None
    assert len(result.stdout) == 100_000
    assert b"".join(heard) == result.stdout


def test_large_output_below_the_cap_is_whole(run: Run) -> None:
    result = run("head -c 20000000 /dev/zero", stdout_limit_bytes=20_000_000)
    assert result.succeeded
    assert len(result.stdout) == 20_000_000


def test_receiver_that_fails_ends_the_command(run: Run) -> None:
    def full_disk(_: str, piece: bytes) -> None:
        raise OSError("no space for the log")

    with pytest.raises(OSError, match="no space for the log"):
        run("while true; do echo more; sleep 0.1; done", on_output=full_disk)


def test_stdin_streams_more_than_memory_holds(run: Run) -> None:
    expected = hashlib.sha256()
    for chunk in mebibytes(300):
        expected.update(chunk)
    lean = replace(ROOM, memory_bytes=64 * MEBIBYTE)
    result = run("sha256sum", stdin=mebibytes(300), limits=lean)
    assert result.stdout.decode().split()[0] == expected.hexdigest()


def test_stdin_that_nobody_reads_does_not_hold_us(run: Run) -> None:
    result = run("sleep 60", stdin=mebibytes(300), limits=replace(ROOM, seconds=1))
    assert result.timed_out
    assert result.wall_seconds < 10


def test_command_may_end_before_its_stdin(run: Run) -> None:
    assert run("head -c 1 >/dev/null", stdin=mebibytes(300)).succeeded


def test_stdin_that_breaks_off_leaves_nothing(sandbox: Sandbox, inspector_image: ImageId) -> None:
    def tampered() -> Iterator[bytes]:
        yield b"some"
        raise ValueError("the payload does not hold")

    with (
        pytest.raises(ValueError, match="does not hold"),
        sandbox.workspace("tests/broken-stdin", ROOM) as workspace,
    ):
        workspace.run(
            inspector_image,
            ("cat",),
            phase="build",
            environment={},
            limits=ROOM,
            stdin=tampered(),
            stdout_limit_bytes=1000,
        )
    assert things_labelled("tests/broken-stdin") == []


def test_time_limit_beats_ignored_signals(run: Run) -> None:
    result = run("trap '' TERM INT HUP; while :; do :; done", limits=replace(ROOM, seconds=1))
    assert result.timed_out
    assert result.exit_code is None
    assert 1 <= result.wall_seconds < 6


@pytest.mark.parametrize("attempt", range(3))
def test_child_killed_for_memory_is_told_though_the_exit_code_is_0(run: Run, attempt: int) -> None:
    lean = replace(ROOM, memory_bytes=64 * MEBIBYTE)
    result = run("python3 -c 'b = b\"x\" * (200 << 20)' | cat; exit 0", limits=lean)
    assert result.exit_code == 0
    assert result.oom_killed
    assert not result.succeeded


def test_files_stay_from_phase_to_phase(run: Run) -> None:
    assert run("mkdir a && echo made >a/file && pwd").stdout == b"/ws/src\n"
    assert run("cat a/file; id -u").stdout == b"made\n10001\n"


def test_network_is_refused(run: Run) -> None:
    with pytest.raises(NetworkNotOffered):
        run("true", network=True)


def test_outputs_are_read_as_a_tar(run: Run, workspace: Workspace) -> None:
    run("mkdir /ws/out/dist && echo wheel >/ws/out/dist/a.whl")
    packed = io.BytesIO(b"".join(workspace.read_tar("/ws/out/dist")))
    with tarfile.open(fileobj=packed) as tar:
        member = tar.extractfile("dist/a.whl")
        assert member is not None
        assert member.read() == b"wheel\n"


def test_absent_output_is_told(workspace: Workspace) -> None:
    with pytest.raises(OutputAbsent):
        list(workspace.read_tar("/ws/out/missing"))


def test_sparse_output_does_not_pass_the_cap(run: Run, workspace: Workspace) -> None:
    run("truncate -s 200M /ws/out/sparse")
    with pytest.raises(OutputRefused):
        for chunk in workspace.read_tar("/ws/out/sparse", limit_bytes=20 * MEBIBYTE):
            assert len(chunk) <= 20 * MEBIBYTE


def test_nothing_is_left_of_a_workspace(sandbox: Sandbox) -> None:
    with sandbox.workspace("tests/leaves-nothing", ROOM):
        assert len(things_labelled("tests/leaves-nothing")) == 2
    assert things_labelled("tests/leaves-nothing") == []


def test_absent_engine_is_no_verdict() -> None:
    nowhere = Sandbox(SandboxSettings(docker_host="unix:///nowhere/docker.sock"))
    with pytest.raises(EngineUnavailable):
        nowhere.builder_image("python")
