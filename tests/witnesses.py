"""Witnesses, monitors and verifiers that are not ours: Sigsum's programs of Debian sid."""

import base64
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escrow.ground.signatures import PublicKey
from escrow.ledger.cosignatures import Witness
from tests.programs import LIBRARIES, sid_program

_TYPE = b"ssh-ed25519"


def openssh(key: PublicKey) -> str:
    """Return a public key as OpenSSH writes it (RFC 8709, section 4)."""
    blob = b"".join(len(one).to_bytes(4, "big") + one for one in (_TYPE, key.raw))
    return f"{_TYPE.decode()} {base64.b64encode(blob).decode()}\n"


def write_key(path: Path, key: PublicKey) -> Path:
    path.write_text(openssh(key))
    return path


class StockWitness:
    """``sigsum-witness`` for one log, with its own state; it may be stopped and started again."""

    def __init__(self, folder: Path, log_key: PublicKey, name: str) -> None:
        folder.mkdir(parents=True)
        self.folder, self.name = folder, name
        write_key(folder / "log.pub", log_key)
        key = folder / "witness.key"
        subprocess.run([sid_program("sigsum-key"), "generate", "-o", key], check=True)
        blob = base64.b64decode(key.with_suffix(".key.pub").read_text().split()[1])
        self._port = _free_port()
        self.witness = Witness(name, f"http://127.0.0.1:{self._port}", PublicKey(blob[-32:]))

    @contextmanager
    def running(self) -> Iterator[Witness]:
        files = ["-k", "witness.key", "--log-key", "log.pub", "--state-file", "state"]
        command = [sid_program("sigsum-witness"), *files, f"127.0.0.1:{self._port}"]
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output)
        try:
            _await_port(self._port)
            yield self.witness
        finally:
            process.terminate()
            process.wait()


@contextmanager
def both_running(*stock: StockWitness) -> Iterator[tuple[Witness, ...]]:
    first, *others = stock
    with first.running() as one:
        if not others:
            yield (one,)
            return
        with both_running(*others) as rest:
            yield (one, *rest)


def policy(path: Path, log_key: PublicKey, witnesses: tuple[Witness, ...], url: str = "") -> Path:
    """Write a Sigsum policy that asks for every one of the witnesses."""
    lines = [f"log {log_key.raw.hex()} {url}".rstrip()]
    lines += [f"witness {one.name} {one.key.raw.hex()}" for one in witnesses]
    if witnesses:
        lines += [f"group all all {' '.join(one.name for one in witnesses)}", "quorum all"]
    else:
        lines.append("quorum none")
    path.write_text("\n".join(lines) + "\n")
    return path


def verifies(program: str, folder: Path, proof: str, message: bytes) -> bool:
    """Ask a stock verifier; in the folder lie leaf.pub and policy."""
    (folder / "proof").write_text(proof)
    command = [sid_program(program), "-k", "leaf.pub", "-p", "policy", "proof"]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES)}
    done = subprocess.run(
        command, cwd=folder, input=message, capture_output=True, check=False, env=environment
    )
    return done.returncode == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the witness does not listen")
