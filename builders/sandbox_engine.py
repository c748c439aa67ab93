"""The connection to one container engine: which one, whether it answers, what it calls us.

Every call to the engine goes through :meth:`Engine.answering`, so that a broken engine is always
the same exception (try later) and never looks like the result of a build.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from builders.errors import EngineUnavailable

OnProgress = Callable[[str], None]

# The engine answers control calls in milliseconds; under heavy load a create can take seconds.
CALL_SECONDS_MAX = 120

# uid and gid of everything that runs in the sandbox: no account of any system has it.
BUILD_UID = 10001

LABEL_RUN = "escrow.run"
LABEL_OWNER = "escrow.owner"
LABEL_DEADLINE = "escrow.deadline"

# A container may outlive its own limits by our cleaning up; only then is it taken for abandoned.
DEADLINE_GRACE_SECONDS = 3600


@dataclass(frozen=True)
class SandboxSettings:
    """Which engine is used, and how. Nothing here is a secret.

    ``docker_host`` None means the standard environment (``DOCKER_HOST``, TLS variables) or the
    local socket. ``runtime`` None means the engine's own. ``apt_mirror`` replaces the Debian
    mirror inside image builds.
    """

    docker_host: str | None = None
    runtime: str | None = None
    apt_mirror: str | None = None


# What a broken or refusing engine raises, from wherever in the client it comes.
ENGINE_FAILURES = (EngineUnavailable, DockerException, requests.RequestException)


class Engine:
    """One container engine, reached when first needed."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self._connecting = threading.Lock()
        self._api: APIClient | None = None

    @property
    def api(self) -> APIClient:
        """The engine's API.

        Raises:
            EngineUnavailable: no engine answers.
        """
        with self._connecting, self.answering():
            if self._api is None:
                where: dict[str, Any] = dict(kwargs_from_env())
                if self.settings.docker_host is not None:
                    where["base_url"] = self.settings.docker_host
                self._api = APIClient(version="auto", timeout=CALL_SECONDS_MAX, **where)
            return self._api

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn every failure of the engine into EngineUnavailable."""
        try:
            yield
        except APIError as problem:
            raise EngineUnavailable(
                f"The container engine refused a call: {problem.explanation or problem}.",
                "Look at the engine's own log; the same call may succeed later.",
            ) from problem
        except (DockerException, requests.RequestException) as problem:
            raise EngineUnavailable(
                f"No container engine answers ({type(problem).__name__}).",
                "Start Docker, or point DOCKER_HOST at a builder host; then try again.",
            ) from problem

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the engine says of itself (``docker info``)."""
        with self.answering():
            facts: Mapping[str, Any] = self.api.info()
        return facts

    @property
    def identity(self) -> str:
        """What makes this engine and runtime another one, for results that hold for one only."""
        return f"{self.facts.get('ID')}/{self.facts.get('KernelVersion')}/{self.settings.runtime}"

    @property
    def cpus(self) -> float:
        """How many processors the engine has; it refuses an order for more."""
        return float(self.facts.get("NCPU") or 1)

    @property
    def workspace_uid(self) -> int:
        """The uid that owns a workspace as the engine's host counts it."""
        return BUILD_UID + outer_uid_offset(self.facts)


def outer_uid_offset(facts: Mapping[str, Any]) -> int:
    """Return where a remapped engine's user ids begin; 0 for a plain one.

    With ``userns-remap`` the engine mounts volumes outside the remapping, and its data directory
    is named after the first ids: ``…/100000.100000``.
    """
    remapped = any("name=userns" in option for option in facts.get("SecurityOptions") or ())
    first = str(facts.get("DockerRootDir", "")).rsplit("/", 1)[-1].partition(".")[0]
    return int(first) if remapped and first.isdigit() else 0


# States of proc_pid_stat(5) in which a process has ended and only its number is left.
_ENDED = ("Z", "X")


def run_labels(label: str, seconds: float) -> dict[str, str]:
    """Return the labels by which the sweeper knows whose a container or volume is."""
    deadline = int(time.time() + seconds + DEADLINE_GRACE_SECONDS)
    return {LABEL_RUN: label, LABEL_OWNER: owner_name(os.getpid()), LABEL_DEADLINE: str(deadline)}


def owner_name(process: int) -> str:
    """Return a name that only this process of this machine ever has, or an empty text.

    Boot, process-id space and start time are part of it: a number alone is used again.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The command's name may hold blanks and brackets; fields are counted after the last one.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        space = Path(f"/proc/{process}/ns/pid").stat().st_ino
    except OSError:
        return ""
    state, started = fields[0], fields[19]
    if state in _ENDED:
        # Killed, and its parent has not asked how it ended: it owns nothing any more.
        return ""
    return f"{boot}:{space}:{process}:{started}"


def is_abandoned(labels: Mapping[str, str], now: float) -> bool:
    """Return whether the owner named by the labels is surely gone.

    An owner on another machine, or in another process-id space, cannot be seen from here: only
    the deadline tells.
    """
    deadline = labels.get(LABEL_DEADLINE, "")
    if not deadline.isdigit() or float(deadline) < now:
        return True
    owner = labels.get(LABEL_OWNER, "")
    here = owner_name(os.getpid()).split(":")[:2]
    parts = owner.split(":")
    if len(parts) != 4 or parts[:2] != here:
        return False
    return owner_name(int(parts[2])) != owner
