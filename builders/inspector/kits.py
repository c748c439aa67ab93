"""Read a recovery kit, and say what is to be run in which order (docs/protocol/kit.md).

A kit is the service's own paper, but whoever runs it trusts his machine to no text: what goes to
his shell is numbers, digests and paths of a plain alphabet; everything else stays in containers.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from builders.inspector.phases import phase_script

FORMAT = "escrow-kit/1"

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_FILE = re.compile(r"parts/[A-Za-z0-9._/-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What the engine's own client adds to a container where its user has proxies configured; and what
# entering a folder leaves behind. The trial build had neither.
_NOT_GIVEN = (
    *("OLDPWD", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ftp_proxy", "FTP_PROXY"),
    *("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"),
)

# Left for the spooled bundle's index and the folders themselves, of each 10 bytes of workspace:
# the part that the trial build was given.
ROOM_OF_TEN = 9


class KitUnreadable(Exception):
    """It is no kit of the version that this program knows."""


class Kit:
    """One kit. Components and phases go by their places in it, from 0."""

    def __init__(self, document: bytes) -> None:
        try:
            self._data: Mapping[str, Any] = json.loads(document)
            known = self._data["format"] == FORMAT
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise KitUnreadable(f"this is no {FORMAT}")

    @property
    def parts(self) -> list[Mapping[str, Any]]:
        """The parts that lay in the workspace."""
        return [one for one in self._data["parts"] if one["place"] is not None]

    @property
    def components(self) -> list[Mapping[str, Any]]:
        """All components, in the order of their build."""
        components: list[Mapping[str, Any]] = self._data["components"]
        return components

    @property
    def room_bytes(self) -> int:
        """How many bytes may be unpacked."""
        return int(self._data["workspace"]["diskBytes"]) * ROOM_OF_TEN // 10

    def lines(self) -> Iterator[str]:
        """Yield what a shell is to do, one step in a line; the last field alone is for people."""
        room = self._data["workspace"]
        yield f"volume {int(room['diskBytes'])} {int(room['files'])}"
        for part in self.parts:
            yield f"part {_checked(_FILE, part['file'])}"
        for number, component in enumerate(self.components):
            yield from self._steps(number, component)

    def _steps(self, number: int, component: Mapping[str, Any]) -> Iterator[str]:
        limits, shown = component["limits"], shown_text(component["name"])
        for place, phase in enumerate(component["phases"]):
            if not phase["ran"]:
                continue
            image = _checked(_IMAGE_ID, component["imageId"])
            bounds = " ".join(
                str(int(limits[name]))
                for name in ("memoryBytes", "cpusThousandths", "processes", "diskBytes")
            )
            ended = "passed" if phase["succeeded"] else "failed"
            yield f"run {number} {place} {image} {bounds} {ended} {shown}: {phase['name']}"
            # The trial build took the results when the build had ended, before any test ran.
            if phase["name"] == "build" and phase["succeeded"]:
                yield f"compare {number} {shown}"

    def script(self, number: int, place: int) -> str:
        """Return the shell program of one phase, its environment and folder included.

        The environment is set inside the container: no value of it passes another shell.
        """
        component = self.components[number]
        phase = component["phases"][place]
        folder = f"/ws/src/{component['directory']}".rstrip("/")
        # By env, so that the phase's own shell finds every variable as the engine gave it then.
        words = ["exec", "env", *(word for name in _NOT_GIVEN for word in ("-u", name))]
        for name, value in sorted(phase["environment"].items()):
            words.append(f"{_checked(_NAME, name)}={value}")
        words += ["/bin/sh", "-c", phase_script(phase["commands"])]
        return f"cd -P -- {shlex.quote(folder)} || exit 125\n{shlex.join(words)}\n"


def shown_text(text: str) -> str:
    """Return a text of a deposit as one line of plain characters, for a terminal."""
    return json.dumps(text)[1:-1]


def _checked(form: re.Pattern[str], value: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value) or ".." in value.split("/"):
        raise KitUnreadable(f"{shown_text(str(value))[:80]} has another form")
    return value
