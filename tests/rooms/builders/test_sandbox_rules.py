"""The rules of the sandbox that need no engine."""

import json
import os
import subprocess
import time

import pytest

from builders.errors import ImageNotBuilt, SystemPackagesNotOffered
from builders.orders import Limits, PhaseResult
from builders.sandbox_attacks import FORBIDDEN_CALLS, ROWS
from builders.sandbox_confinement import seccomp_profile, workspace_volume_options
from builders.sandbox_debian import debian_sources
from builders.sandbox_engine import is_abandoned, outer_uid_offset, owner_name, run_labels
from builders.sandbox_images import (
    build_failure,
    check_package_names,
    context_files,
    context_tar,
    followed,
    inputs_digest,
)
from builders.sandbox_selftest import HOSTILE_TABLE

OWN_SOURCES = """http://mirror.test/debian|bookworm|main|Debian
http://mirror.test/debian|bookworm|main|Debian
http://mirror.test/debian|bookworm-backports|main|Debian
http://security.test/debian|bookworm-security|main|Debian
http://vendor.test/apt|bookworm|main|Vendor
http://vendor.test/apt|nodistro|main|Debian
"""


def test_every_attack_has_a_row() -> None:
    assert [row.name for row in HOSTILE_TABLE] == list(ROWS)


def test_no_forbidden_call_is_allowed() -> None:
    rules = json.loads(seccomp_profile())["syscalls"]
    allowed = {
        name for rule in rules for name in rule["names"] if rule["action"] == "SCMP_ACT_ALLOW"
    }
    assert not allowed & FORBIDDEN_CALLS.keys()


def test_every_rule_of_the_allowlist_says_why() -> None:
    profile = json.loads(seccomp_profile())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(rule["comment"] for rule in profile["syscalls"])


def test_calls_that_name_a_namespace_or_family_are_allowed_only_with_arguments() -> None:
    rules = json.loads(seccomp_profile())["syscalls"]
    conditional = [rule for rule in rules if {"clone", "socket", "personality"} & {*rule["names"]}]
    assert all(rule["args"] and len(rule["names"]) == 1 for rule in conditional)


def test_sources_follow_the_machine_for_its_own_suite() -> None:
    assert debian_sources(OWN_SOURCES, "bookworm", "bookworm") == (
        "deb http://mirror.test/debian bookworm main",
        "deb http://security.test/debian bookworm-security main",
    )


def test_sources_of_another_suite_lie_on_the_same_sites() -> None:
    lines = debian_sources(OWN_SOURCES, "bookworm", "trixie")
    assert lines[1] == "deb http://security.test/debian trixie-security main"


def test_machine_that_is_no_debian_has_no_sources() -> None:
    assert debian_sources("http://x.test/ubuntu|noble|main|Ubuntu", "noble", "bookworm") == ()


def test_digest_changes_with_every_input() -> None:
    files, arguments = {"Dockerfile": b"FROM x"}, {"BASE": "sha256:1"}
    digests = {
        inputs_digest(files, arguments),
        inputs_digest({"Dockerfile": b"FROM y"}, arguments),
        inputs_digest(files, {"BASE": "sha256:2"}),
        inputs_digest({**files, "program/a.py": b""}, arguments),
    }
    assert len(digests) == 4


def test_inspector_carries_our_program_and_builders_do_not() -> None:
    assert "program/builders/__init__.py" in context_files("inspector")
    assert list(context_files("python")) == ["Dockerfile"]


def test_same_context_gives_the_same_bytes() -> None:
    files = context_files("inspector")
    assert context_tar(files) == context_tar(dict(reversed(files.items())))


@pytest.mark.parametrize("name", ["-y", "a b", "Zlib", "x;y", "$(id)", "../x", "a" * 200, ""])
def test_odd_package_name_is_refused(name: str) -> None:
    with pytest.raises(SystemPackagesNotOffered):
        check_package_names([name])


def test_debian_names_and_versions_are_taken() -> None:
    check_package_names(["libstdc++-12-dev", "libpq-dev=15.10-0+deb12u1", "g++"])


def test_complaint_of_apt_is_put_together_from_its_pieces() -> None:
    pieces = [
        "\x1b[91mE\x1b[0m",
        "\x1b[91m: \x1b[0m",
        "Unable to locate package x\n",
        "Removing a\n",
    ]
    told, steps = "", []
    for piece in ["Step 1/9 : FROM a\n", *pieces]:
        told = followed(told, {"stream": piece}, steps.append)
    assert steps == ["Step 1/9 : FROM a"]
    failure = build_failure("image", told, packages="x")
    assert isinstance(failure, SystemPackagesNotOffered)
    assert "E: Unable to locate package x" in failure.reason


def test_failed_build_without_wishes_of_the_recipe_is_ours() -> None:
    assert isinstance(build_failure("image", "E: Unable to locate package git", ""), ImageNotBuilt)
    assert "no message" in build_failure("image", "", "").reason


def test_too_many_packages_are_refused() -> None:
    with pytest.raises(SystemPackagesNotOffered):
        check_package_names([f"lib{number}" for number in range(101)])


def test_remapped_engine_shifts_the_owner_of_a_workspace() -> None:
    plain = {"SecurityOptions": ["name=seccomp"], "DockerRootDir": "/var/lib/docker"}
    remapped = {
        "SecurityOptions": ["name=seccomp", "name=userns"],
        "DockerRootDir": "/var/lib/docker/100000.100000",
    }
    assert (outer_uid_offset(plain), outer_uid_offset(remapped)) == (0, 100_000)


def test_workspace_is_bounded_in_bytes_and_files() -> None:
    limits = Limits(cpus=1, memory_bytes=1, disk_bytes=4096, seconds=1, files=7)
    options = workspace_volume_options(limits, 10001)["o"].split(",")
    assert {"size=4096", "nr_inodes=7", "uid=10001", "nosuid", "nodev"} <= set(options)


def test_own_work_is_not_abandoned() -> None:
    assert not is_abandoned(run_labels("x", 60), time.time())


def test_work_of_a_dead_process_is_abandoned() -> None:
    labels = run_labels("x", 60)
    boot, space, _, started = owner_name(os.getpid()).split(":")
    assert is_abandoned({**labels, "escrow.owner": f"{boot}:{space}:999999999:1"}, time.time())
    assert is_abandoned({**labels, "escrow.owner": f"{boot}:{space}:1:{started}9"}, time.time())


def test_owner_out_of_sight_counts_as_alive_until_the_deadline() -> None:
    labels = {**run_labels("x", 60), "escrow.owner": "another-boot:1:1:1"}
    assert not is_abandoned(labels, time.time() + 3600)
    assert is_abandoned(labels, time.time() + 3600 + 61)


@pytest.mark.parametrize("flag", ["timed_out", "oom_killed", "output_flooded"])
def test_exit_code_0_is_no_success_when_a_limit_was_met(flag: str) -> None:
    ended = {"timed_out": False, "oom_killed": False, "output_flooded": False}
    assert PhaseResult("build", 0, wall_seconds=1, **ended).succeeded
    assert not PhaseResult("build", 0, wall_seconds=1, **{**ended, flag: True}).succeeded


def test_a_dead_process_that_nobody_buried_owns_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert owner_name(child.pid) == ""
