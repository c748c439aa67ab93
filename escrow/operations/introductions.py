"""How processes that run apart come to know each other: each lays out its public half, once.

::

    <exchange>/portal/introduction.json       written by the portal, read by the others
    <exchange>/worker/introduction.json
    <exchange>/worker-second/introduction.json  of a further worker, called "second"
    <exchange>/keyholder/introduction.json
    <exchange>/keyholder/trust-root.json      made by the keyholder of all three

Who may write which folder is decided outside: in containers each is a volume that its process
writes and the others only read. At its first start a process pins what it finds, in a folder of
its own; from then on another introduction stops it at its start. Private halves never leave the
process that made them.

The first meeting is believed as it is; that it was the right one is what the trust root's
fingerprint tells, which every process prints and the operator compares.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from escrow.evidence.anchors import read_anchors
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.certificates import ensure_certificate
from escrow.ground.clock import SystemClock
from escrow.ground.errors import Tampered, Unavailable
from escrow.ground.paths import write_whole
from escrow.ground.settings import Settings
from escrow.ground.signatures import PublicKey
from escrow.ledger.events import NAME_MARK
from escrow.operations.calls.mutual_tls import Credentials
from escrow.operations.home import SERVICE_NAME, Home
from escrow.operations.keyholder.wire import worker_called

FORMAT = "escrow-process/1"

# All processes are started together; a machine that pulls an image first takes minutes.
MEETING_SECONDS = 180.0

_LOOK_SECONDS = 0.2


class ProcessMissing(Unavailable):
    """A process of the installation has not introduced itself."""

    code = "installation.process-missing"


class ProcessExchanged(Tampered):
    """A process introduces itself with other keys than those that were pinned."""

    code = "installation.process-exchanged"


@dataclass(frozen=True)
class Introduction:
    """The public half of a process.

    Args:
        role: ``portal``, ``worker`` or ``keyholder``; of a further worker ``worker/<name>``.
        keys: signing keys by the name that they have in the trust root.
        certificate: by which it is known on the network, PEM.
        recipient: of the worker: the age recipient that file keys are sealed to.
    """

    role: str
    keys: Mapping[str, PublicKey]
    certificate: str
    recipient: str = ""

    def to_json(self) -> str:
        """Return the text of the file."""
        document = {
            "format": FORMAT,
            "role": self.role,
            "keys": {name: str(key) for name, key in sorted(self.keys.items())},
            "certificate": self.certificate,
            "recipient": self.recipient,
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Introduction:
        """Return what a file says.

        Raises:
            ValueError, KeyError: it is none.
        """
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError("another format")
        keys = {name: PublicKey.parse(key) for name, key in document["keys"].items()}
        return cls(document["role"], keys, document["certificate"], document["recipient"])


def credential_files(home: Home, role: str) -> Credentials:
    """Return where the files lie by which a process proves itself."""
    return Credentials(home.tls / f"{_file(role)}.crt", home.tls / f"{_file(role)}.key")


def own_credentials(home: Home, role: str) -> tuple[Credentials, str]:
    """Return the files by which a process proves itself, made on first use, and its certificate."""
    home.tls.mkdir(mode=0o700, exist_ok=True)
    own = credential_files(home, role)
    name = f"{SERVICE_NAME} {role}"
    return own, ensure_certificate(own.certificate, own.key, name, SystemClock().now())


def meet(
    settings: Settings,
    home: Home,
    own: Introduction,
    others: Sequence[str],
    patience_seconds: float = MEETING_SECONDS,
) -> dict[str, Introduction]:
    """Introduce ourselves and return the others as they are pinned, by role.

    Args:
        settings: name the exchange folder.
        home: our own, where they are pinned.
        own: ours.
        others: roles that we have to do with.
        patience_seconds: how long each of them is waited for.

    Raises:
        ProcessMissing: one has not come.
        ProcessExchanged: one is not whom we met before.
    """
    folder = settings.exchange / _file(own.role)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "introduction.json", own.to_json(), 0o644)
    return {role: _acquainted(settings.exchange, home, role, patience_seconds) for role in others}


def make_trust_root(
    settings: Settings, home: Home, own: Introduction, others: Mapping[str, Introduction]
) -> TrustRoot:
    """Return the trust root of all processes, and lay it out for them; the keyholder's part.

    Raises:
        ProcessExchanged: it would be another than before.
    """
    root = TrustRoot(
        service=SERVICE_NAME,
        environment=settings.env,
        log=own.keys["log"],
        leaf=own.keys["leaf"],
        roles={role: one.keys[role] for role, one in {own.role: own, **others}.items()},
        anchors=read_anchors(settings.anchors),
    )
    _pin_root(settings, home, root, own.role)
    write_whole(settings.exchange / own.role / "trust-root.json", root.to_json(), 0o644)
    return root


def pin_trust_root(settings: Settings, home: Home, own: Introduction) -> TrustRoot:
    """Return the trust root, pinned at the first start and compared at every later one.

    Raises:
        ProcessMissing: the keyholder has not made it, or not with all the workers yet.
        ProcessExchanged: it is another than the one that was pinned, or names another key as ours.
    """
    root = _awaited_root(settings)
    if root.environment != settings.env or root.roles.get(own.role) != own.keys[own.role]:
        raise _exchanged("keyholder")
    _pin_root(settings, home, root, "keyholder")
    return root


def workers_named(settings: Settings) -> tuple[str, ...]:
    """Return what every worker of the installation is called; the first is always there."""
    return tuple(worker_called(name) for name in (None, *settings.more_workers))


def _acquainted(exchange: Path, home: Home, role: str, patience_seconds: float) -> Introduction:
    found = _awaited(exchange / _file(role) / "introduction.json", role, patience_seconds)
    try:
        introduction = Introduction.from_json(found)
    except (ValueError, KeyError, TypeError) as problem:
        raise _exchanged(role) from problem
    if introduction.role != role:
        raise _exchanged(role)
    home.acquaintances.mkdir(mode=0o700, exist_ok=True)
    _pin(home.acquaintances / f"{_file(role)}.json", introduction.to_json(), role)
    return introduction


def _pin_root(settings: Settings, home: Home, root: TrustRoot, role: str) -> None:
    """Pin a trust root; one that stands may only grow, by workers that our own settings name."""
    if home.trust_root.exists():
        pinned = TrustRoot.from_json(home.trust_root.read_text(encoding="utf-8"))
        added = root.workers.keys() - pinned.workers.keys()
        if added and root.is_grown_from(pinned) and added <= set(workers_named(settings)):
            write_whole(home.trust_root, root.to_json(), 0o644)
    _pin(home.trust_root, root.to_json(), role)


def _file(role: str) -> str:
    """Return a process's name as a file or folder has it."""
    return role.replace(NAME_MARK, "-")


def _pin(path: Path, text: str, role: str) -> None:
    if not path.exists():
        write_whole(path, text, 0o644)
    elif path.read_text(encoding="utf-8") != text:
        raise _exchanged(role)


def _awaited(path: Path, role: str, patience_seconds: float = MEETING_SECONDS) -> str:
    until = time.monotonic() + patience_seconds
    while not path.exists():
        if time.monotonic() > until:
            raise ProcessMissing(
                f"The {role} has not introduced itself in {path.parent}.",
                f"Start the {role}, with the same exchange folder (ESCROW_EXCHANGE).",
            )
        time.sleep(_LOOK_SECONDS)
    return path.read_text(encoding="utf-8")


def _awaited_root(settings: Settings) -> TrustRoot:
    """Return the trust root, once the keyholder has taken every worker into it that we know of."""
    path = settings.exchange / "keyholder" / "trust-root.json"
    until = time.monotonic() + MEETING_SECONDS
    while True:
        root = TrustRoot.from_json(_awaited(path, "keyholder"))
        missing = set(workers_named(settings)) - root.workers.keys()
        if not missing:
            return root
        if time.monotonic() > until:
            raise ProcessMissing(
                f"The keyholder's trust root does not name {', '.join(sorted(missing))}.",
                "Start it anew with the same ESCROW_MORE_WORKERS as every other process.",
            )
        time.sleep(_LOOK_SECONDS)


def _exchanged(role: str) -> ProcessExchanged:
    return ProcessExchanged(
        f"The {role} shows other keys, or another environment, than were pinned here before.",
        "If you set it up anew on purpose, remove what this process pinned of it; if not, somebody "
        "exchanged it: do not go on, compare fingerprints with a party.",
    )
