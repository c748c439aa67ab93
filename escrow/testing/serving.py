"""A real server on loopback, in this process or in one that can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from escrow.testing.intake import AsgiApp, IntakeWorld


@contextmanager
def served(app: AsgiApp) -> Iterator[str]:
    """Serve an application in a thread of its own and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class KillableServer:
    """An intake in a process of its own, for trials of what a kill leaves behind.

    Args:
        folder: the world's; see :class:`~escrow.testing.intake.IntakeWorld`.
        scratch: the world's.
        git_user: the user set aside for git, if any.
    """

    def __init__(self, folder: Path, scratch: Path, git_user: str | None = None) -> None:
        command = [sys.executable, "-m", "escrow.testing.serving", str(folder), str(scratch)]
        command += [git_user] if git_user else []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise RuntimeError("a process without its pipes")
        self.url = self._process.stdout.readline().strip()

    def kill(self) -> None:
        """End the process as a power cut would: at once, without a word."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> KillableServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def main(folder: str, scratch: str, git_user: str | None = None) -> None:
    """Serve the intake of a folder on a free port and print the address."""
    world = IntakeWorld(Path(folder), Path(scratch), git_user=git_user)
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(world.app(), lifespan="off", log_level="warning", access_log=False)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
