"""``git push`` against git's own HTTP server: ``python -m bench.push [--rounds N]``.

Every round pushes the same repository, from the same client, to each server in turn; a figure is
the median of the rounds' own ratios, so that load from elsewhere meets all of them. The peer is
nginx with fcgiwrap and ``git http-backend`` where both are installed, else http-backend behind a
small server of this file. It stores the objects and nothing else. We check every object, judge
the tree, seal, hash twice, store with fsync, log, sign; our time ends when all of that is durable.
A second peer checks objects as we do (``receive.fsckObjects``): what is left is our own share.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from escrow.testing.gits import TrialRepository
from escrow.testing.intake import IntakeWorld
from escrow.testing.serving import KillableServer

ROUNDS = 5
GOAL = 1.2
BACKEND = "/usr/lib/git-core/git-http-backend"

# As the service has it: repositories of pushes in memory, what lasts on a disk.
SCRATCH = Path("/dev/shm")
DISK = Path("/var/tmp")

# Some 40 MiB of pack: text that compresses, a history, and a few files that do not.
COMMITS = 300
FILES = 1_500
FILE_LINES = 600
NOISE_BYTES = 24 * 1024 * 1024

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
user root; events {{ }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi; proxy_temp_path {folder}/proxy;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/(.*)$ {{
      fastcgi_pass unix:{folder}/fcgi.sock; fastcgi_request_buffering off;
      fastcgi_buffering off; fastcgi_read_timeout 600;
      fastcgi_param SCRIPT_FILENAME {backend}; fastcgi_param PATH_INFO /$1;
      fastcgi_param GIT_PROJECT_ROOT {folder}/repositories; fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param REMOTE_USER bench; fastcgi_param SERVER_PROTOCOL $server_protocol;
    }}
  }}
}}
"""


def generate(folder: Path) -> TrialRepository:
    """Make a repository that is always the same: a history of source, and some noise."""
    chance = random.Random(4)
    repository = TrialRepository(folder)
    words = [f"{chance.choice('aeiourstln')}{chance.getrandbits(24):x}" for _ in range(4_000)]

    def text(lines: int) -> str:
        return "".join(f"    {' '.join(chance.choices(words, k=8))};\n" for _ in range(lines))

    def stream() -> Iterator[bytes]:
        for commit in range(COMMITS):
            yield f"commit refs/heads/main\ncommitter B <b@bench> {10**9 + commit} +0000\n".encode()
            yield b"data 6\nchange\n"
            count = FILES if commit == 0 else 20
            for number in chance.sample(range(FILES), count):
                lines = FILE_LINES if commit == 0 else FILE_LINES // 10
                content = text(lines).encode()
                name = f"src/{number % 60}/file{number}.c"
                yield f"M 100644 inline {name}\ndata {len(content)}\n".encode() + content + b"\n"
        noise = chance.randbytes(NOISE_BYTES)
        yield f"commit refs/heads/main\ncommitter B <b@bench> {2 * 10**9} +0000\n".encode()
        yield b"data 5\nnoise\n"
        yield f"M 100644 inline assets/noise\ndata {len(noise)}\n".encode() + noise + b"\n"

    repository.git("fast-import", "--quiet", stdin=b"".join(stream()))
    repository.git("repack", "-adq", "--depth=50", "--window=20")
    return repository


class Peer:
    """A plain git HTTP server with a fresh bare repository for each push."""

    def __init__(self, folder: Path, url: str, *, checks_objects: bool) -> None:
        self.url = url
        self._checks_objects = checks_objects
        self._repositories = folder / "repositories"
        self._repositories.mkdir(exist_ok=True)
        self._count = 0

    def push(self, client: TrialRepository) -> float:
        """Push to a fresh repository and return the seconds that it took."""
        self._count += 1
        name = f"{'checked' if self._checks_objects else 'plain'}{self._count}.git"
        target = self._repositories / name
        subprocess.run(["git", "init", "--quiet", "--bare", str(target)], check=True)
        settings = [("http.receivepack", "true")]
        settings += [("receive.fsckObjects", "true")] if self._checks_objects else []
        for key, value in settings:
            subprocess.run(["git", "-C", str(target), "config", key, value], check=True)
        seconds = timed(lambda: client.git("push", "--quiet", f"{self.url}/{name}", "main"))
        shutil.rmtree(target)
        return seconds


class Backend(BaseHTTPRequestHandler):
    """git http-backend behind as little as can be; for machines without nginx."""

    protocol_version = "HTTP/1.1"
    project_root = ""

    def do_GET(self) -> None:
        """Answer what asks for refs."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a push."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.project_root,
            "GIT_HTTP_EXPORT_ALL": "",
            "REMOTE_USER": "bench",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        with subprocess.Popen(
            [BACKEND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as backend:
            if backend.stdin is None or backend.stdout is None:
                raise RuntimeError("a process without its pipes")
            for piece in self._body():
                backend.stdin.write(piece)
            backend.stdin.close()
            answer = backend.stdout.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + head + b"\r\n\r\n" + body)
        self.close_connection = True

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Run nginx and fcgiwrap on a free port and give the address."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, backend=BACKEND))
    command = ["/usr/sbin/fcgiwrap", "-c", "2", "-s", f"unix:{folder}/fcgi.sock"]
    with ExitStack() as stack:
        # A session of its own: its workers do not end with it.
        wrap = stack.enter_context(subprocess.Popen(command, start_new_session=True))
        stack.callback(lambda: os.killpg(wrap.pid, signal.SIGTERM))
        while not (folder / "fcgi.sock").exists():
            time.sleep(0.05)
        configuration = ["-c", str(folder / "nginx.conf")]
        server = stack.enter_context(subprocess.Popen(["/usr/sbin/nginx", *configuration]))
        stack.callback(server.terminate)
        while not (folder / "nginx.pid").exists():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def small_server(folder: Path) -> Iterator[str]:
    """Run http-backend behind this file's own server and give the address."""
    Backend.project_root = str(folder / "repositories")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    probe = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = probe.server_port
    probe.server_close()
    return port


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(rounds: int) -> None:
    """Push in turns and print the figures."""
    with ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=SCRATCH)))
        scratch.chmod(0o711)
        print("making a repository …", file=sys.stderr, flush=True)
        client = generate(disk / "client")
        has_nginx = os.geteuid() == 0 and all(map(shutil.which, ("nginx", "fcgiwrap")))
        run, name = (nginx, "nginx + fcgiwrap") if has_nginx else (small_server, "a small server")
        url = stack.enter_context(run(disk))
        plain = Peer(disk, url, checks_objects=False)
        checked = Peer(disk, url, checks_objects=True)
        (disk / "world").mkdir()
        world = IntakeWorld(disk / "world", scratch)
        token = world.token()
        # Confined as in production, where this machine allows it.
        user = "nobody" if os.geteuid() == 0 else None
        ours = stack.enter_context(KillableServer(disk / "world", scratch, user))

        def push_to_us() -> float:
            return timed(lambda: accepted(client, ours.url, token))

        servers: dict[str, Callable[[], float]] = {
            "ours": push_to_us,
            "plain": lambda: plain.push(client),
            "checked": lambda: checked.push(client),
        }
        for push in servers.values():
            push()
        times: dict[str, list[float]] = {key: [] for key in servers}
        for number in range(rounds):
            keys = list(servers) if number % 2 else list(reversed(servers))
            for key in keys:
                times[key].append(servers[key]())
        size = world.parts(world.sealed()[0].id)[0].size_bytes
        world.close()
    report(times, size, name)


def accepted(client: TrialRepository, url: str, token: str) -> None:
    """Push to our server and make sure that it took it."""
    pushed = client.push(url, token)
    if not pushed.is_accepted:
        raise RuntimeError(pushed.text)


def report(times: dict[str, list[float]], size_bytes: int, peer: str) -> None:
    """Print a line for each comparison."""
    print(f"git push of {size_bytes / 2**20:.0f} MiB, {len(times['ours'])} rounds in turns")
    for key, label in (("ours", "ours, sealed"), ("plain", peer), ("checked", f"{peer}, fsck")):
        print(f"  {label:28} {statistics.median(times[key]):6.2f} s")
    for key, goal in (("plain", f"goal ≤ {GOAL}"), ("checked", "for comparison")):
        ratios = [ours / other for ours, other in zip(times["ours"], times[key], strict=True)]
        label = peer if key == "plain" else f"{peer}, fsck"
        print(f"  ours / {label:25} {statistics.median(ratios):5.2f} x   ({goal})")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    measure(parser.parse_args().rounds)


if __name__ == "__main__":
    main()
