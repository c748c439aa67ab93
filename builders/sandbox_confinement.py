"""How a container of hostile content is confined: every flag beside its reason.

Docker's own defaults are stated where they matter, so that another default cannot weaken us. The
outcome of each flag is proven by a row of :mod:`builders.sandbox_selftest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from docker import APIClient
from docker.types import Healthcheck, HostConfig, LogConfig, Mount, Ulimit

from builders.orders import ImageId, Limits
from builders.sandbox_engine import BUILD_UID

WORKSPACE_PATH = "/ws"

# Open files of one process: linkers and test suites need hundreds, a leak bomb wants millions.
OPEN_FILES_MAX = 4096

# Temporary files outside the workspace: compilers' intermediate files, sockets of tests. The
# number of files is bounded too: empty ones cost kernel memory that no size limit sees.
TEMPORARY_TMPFS = "size=512m,mode=1777,nosuid,nodev,exec,nr_inodes=100k"

# What the engine itself keeps of a container's output: twice this, then it rotates.
ENGINE_LOG_FILE = "2m"


@dataclass(frozen=True)
class ContainerOrder:
    """One container to be made: everything that differs between one and the next."""

    image: ImageId
    argv: Sequence[str]
    environment: Mapping[str, str]
    working_directory: str
    limits: Limits
    volume: str
    labels: Mapping[str, str]
    runtime: str | None = None
    takes_stdin: bool = False


@cache
def seccomp_profile() -> str:
    """Return our allowlist of system calls; the API takes the text, not a path."""
    return (resources.files("builders") / "seccomp.json").read_text(encoding="utf-8")


def create_container(api: APIClient, order: ContainerOrder) -> str:
    """Create one confined container, not started, and return its id."""
    created = api.create_container(
        order.image,  # by id: a tag could point elsewhere by now
        entrypoint=[order.argv[0]],  # replaces whatever an image brings along
        command=list(order.argv[1:]),
        # Explicit only: the engine client's proxy settings would tell the site's own addresses.
        environment=dict(order.environment),
        use_config_proxy=False,
        hostname="builder",  # a fixed name: some builds write it into what they make
        user=f"{BUILD_UID}:{BUILD_UID}",
        working_dir=order.working_directory,
        labels=dict(order.labels),
        stdin_open=order.takes_stdin,
        tty=False,  # a terminal would mix the two streams and rewrite line ends
        healthcheck=Healthcheck(test=["NONE"]),  # an image's own would run beside the phase
        host_config=_host_config(api, order),
        runtime=order.runtime,
    )
    identifier: str = created["Id"]
    return identifier


def _host_config(api: APIClient, order: ContainerOrder) -> HostConfig:
    """Return the confinement itself."""
    limits = order.limits
    return api.create_host_config(
        network_mode="none",  # only loopback: nothing to reach, nothing to leak to
        read_only=True,  # only /ws, /tmp and /dev/shm can be written, and all three are bounded
        privileged=False,
        cap_drop=["ALL"],
        security_opt=[
            "no-new-privileges:true",  # a setuid file made or found gives nothing
            f"seccomp={seccomp_profile()}",
        ],
        ipc_mode="private",
        cgroupns="private",  # the host's cgroup names are nobody's business
        init=True,  # reaps orphans, and its end takes every process of the phase along
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,  # the same figure: no swap
        pids_limit=limits.processes,
        nano_cpus=int(limits.cpus * 1_000_000_000),
        oom_score_adj=500,  # should the host run short, the build dies before the engine
        shm_size="64m",
        ulimits=[
            Ulimit(name="nofile", soft=OPEN_FILES_MAX, hard=OPEN_FILES_MAX),
            # As large as the workspace; smaller would break real builds that make one big file.
            Ulimit(name="fsize", soft=limits.disk_bytes, hard=limits.disk_bytes),
            Ulimit(name="core", soft=0, hard=0),  # a dump would fill the workspace
        ],
        tmpfs={"/tmp": TEMPORARY_TMPFS},  # noqa: S108 (a path inside the container)
        mounts=[Mount(WORKSPACE_PATH, order.volume, type="volume", no_copy=True)],
        log_config=LogConfig(
            type="local",
            config={"max-size": ENGINE_LOG_FILE, "max-file": "2", "compress": "false"},
        ),
    )


def workspace_volume_options(limits: Limits, owner_uid: int) -> dict[str, str]:
    """Return the options of a workspace volume: a bounded tmpfs that only the build user owns.

    A tmpfs needs no root of ours and no quota of the engine's file system, and vanishes with its
    last container. Its bytes are charged to the memory of whoever writes them.
    """
    options = [
        f"size={limits.disk_bytes}",
        f"nr_inodes={limits.files}",  # without it, empty files use up kernel memory instead
        f"uid={owner_uid}",
        f"gid={owner_uid}",
        "mode=0755",
        "nosuid",
        "nodev",
    ]
    return {"type": "tmpfs", "device": "tmpfs", "o": ",".join(options)}
