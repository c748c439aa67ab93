"""What hostile content tries, one function for each row of the sandbox's self-test.

Runs *inside* the sandbox, as ``python3 -c <this text> <row>``, with the standard library only. A
row prints ``held`` and exits 0 when the attack came to nothing; it prints ``broke: …`` when it got
through. Every attack is bounded by itself, so that an engine without limits survives the test.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WORKSPACE = Path("/ws/src")
BUILD_UID = 10001
MEBIBYTE = 1 << 20

# What may be mounted in a confined container, besides the masked places below /proc and /sys.
KNOWN_MOUNTS = (
    *("/", "/proc", "/sys", "/dev", "/tmp", "/ws"),  # noqa: S108
    *("/sbin/docker-init", "/usr/sbin/docker-init"),
)
KNOWN_FILES = ("/etc/resolv.conf", "/etc/hostname", "/etc/hosts")
KNOWN_VARIABLES = {
    *("PATH", "HOME", "HOSTNAME", "LC_ALL", "TZ", "LC_CTYPE"),
    *("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE"),
}

# Numbers of forbidden calls on x86_64 and aarch64; -1 where an architecture has no such call.
FORBIDDEN_CALLS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mbind": (237, 235),
    "memfd_secret": (447, 447),
    "modify_ldt": (154, -1),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vmsplice": (278, 75),
}
CLONE_CALL = (56, 220)
CLONE3_CALL = (435, 435)
NEW_NAMESPACES = (
    0x00020000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)

# Address family and protocol: alg, vsock, packet, key, can, bluetooth, netfilter's netlink.
FORBIDDEN_SOCKETS = ((38, 0), (40, 0), (17, 0), (15, 2), (29, 1), (31, 0), (16, 12))


def fork_bomb() -> str:
    """Make processes until the kernel refuses."""
    for count in range(2000):
        try:
            child = os.fork()
        except BlockingIOError:
            return f"held at {count}"
        if child == 0:
            time.sleep(60)
            os._exit(0)
    return "broke: 2000 processes at once"


def memory_bomb() -> str:
    """Let a child take memory until it is killed, and end well oneself: only the engine knows."""
    child = os.fork()
    if child == 0:
        taken = [b"\1" * (16 * MEBIBYTE) for _ in range(64)]
        os._exit(len(taken) and 7)
    _, status = os.waitpid(child, 0)
    return "held" if os.WIFSIGNALED(status) else "broke: a gibibyte of memory"


def disk_fill() -> str:
    """Fill the workspace with many files."""
    block = b"\1" * MEBIBYTE
    written = 0
    made = []
    try:
        for count in range(256):
            made.append(WORKSPACE / f"fill{count}")
            made[-1].write_bytes(block)
            written += 1
    except OSError as problem:
        return _expected(problem, errno.ENOSPC, f"held at {written} MiB")
    finally:
        _remove(made)
    return "broke: 256 MiB in a workspace of 32"


def big_file() -> str:
    """Write one file beyond the largest size of a file."""
    path = WORKSPACE / "big"
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(24):
                file.write(b"\1" * MEBIBYTE)
    except OSError as problem:
        return _expected(problem, errno.EFBIG, "held")
    finally:
        _remove([path])
    return "broke: a file of 24 MiB where 8 are allowed"


def inode_bomb() -> str:
    """Make empty files until the file system refuses; look at the other places too."""
    made: list[Path] = []
    try:
        for count in range(8000):
            made.append(WORKSPACE / f"node{count}")
            made[-1].touch()
    except OSError as problem:
        outcome = _expected(problem, errno.ENOSPC, f"held at {len(made)} files")
    else:
        outcome = "broke: 8000 files in a workspace of 2000"
    _remove(made)
    files = os.statvfs("/tmp").f_files  # noqa: S108
    return outcome if 0 < files <= 102_400 else f"broke: {files} files allowed in /tmp"


def rootfs_write() -> str:
    """Look for any place to write outside the workspace and the temporary folders."""
    for folder in _folders():
        if os.access(folder, os.W_OK):
            return f"broke: {folder} can be written"
    return "held"


def host_reach() -> str:
    """Look for anything of the host: mounts, sockets, variables."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        masked = place.startswith(("/proc/", "/sys/", "/dev/"))
        if not masked and place not in KNOWN_MOUNTS and place not in KNOWN_FILES:
            return f"broke: {place} is mounted"
    if strange := set(os.environ) - KNOWN_VARIABLES:
        return f"broke: variables {sorted(strange)}"
    sockets = [path for path in ("/var/run/docker.sock", "/run") if _has_socket(Path(path))]
    return f"broke: sockets in {sockets}" if sockets else "held"


def network_reach() -> str:
    """Try the world, the engine's host, the metadata service, and a name."""
    interfaces = [name for _, name in socket.if_nameindex()]
    if any(name not in ("lo", "tunl0", "sit0", "ip6tnl0", "gre0") for name in interfaces):
        return f"broke: interfaces {interfaces}"
    for address in ("192.0.2.1", "169.254.169.254", "172.17.0.1", "10.0.0.1", "2001:db8::1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            code = probe.connect_ex((address, 80))
        if code not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
            return f"broke: {address} answered {errno.errorcode.get(code, code)}"
    try:
        socket.getaddrinfo("debian.org", 80)
    except OSError:
        return "held"
    return "broke: a name was resolved"


def log_flood() -> str:
    """Say far more than anybody wants to keep."""
    line = b"y" * 65535 + b"\n"
    for _ in range(1024):
        os.write(1, line)
    return "broke: 64 MiB of output"


def privileges() -> str:
    """Look at oneself, for rights held, and for files that give some."""
    status = dict(line.split(":", 1) for line in _lines("/proc/self/status"))
    wanted = {"NoNewPrivs": "1", "Seccomp": "2", "Uid": "\t".join([str(BUILD_UID)] * 4)}
    capabilities = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    wanted |= dict.fromkeys(capabilities, "0" * 16)
    for name, value in wanted.items():
        if status.get(name, "").strip() != value:
            return f"broke: {name} is {status.get(name, 'missing').strip()}"
    for change in (os.setuid, os.setgid, os.seteuid):
        try:
            change(0)
        except PermissionError:
            continue
        return f"broke: {change.__name__} to root"
    for folder in _folders():
        for entry in os.scandir(folder) if os.access(folder, os.R_OK | os.X_OK) else ():
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & 0o6000:
                return f"broke: setuid {entry.path}"
    return "held"


def devices() -> str:
    """Make devices, and open those that would give the machine away."""
    for kind, number in ((0o060000, (8, 0)), (0o020000, (1, 1))):
        try:
            os.mknod(WORKSPACE / "device", kind | 0o666, os.makedev(*number))
        except PermissionError:
            continue
        return "broke: a device was made"
    for name in ("mem", "kmsg", "kvm", "port", "sda", "vda", "nvme0n1", "fuse", "net/tun"):
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY))
        except OSError:
            continue
        return f"broke: /dev/{name} can be opened"
    options = [line.split()[3] for line in _lines("/proc/mounts") if line.split()[1] == "/ws"]
    flags = set(options[0].split(",")) if options else set()
    return "held" if {"nodev", "nosuid"} <= flags else f"broke: /ws is mounted {options}"


def kernel_settings() -> str:
    """Change the kernel, or read what it keeps to itself."""
    targets = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/power/state")
    for path in targets:
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            continue
        return f"broke: {path} can be written"
    try:
        Path("/proc/self/oom_score_adj").write_text("-1000")
    except OSError:
        pass
    else:
        return "broke: exempt from the memory killer"
    try:
        with Path("/proc/kcore").open("rb") as memory:
            secret = memory.read(16)
    except OSError:
        secret = b""
    return "broke: /proc/kcore can be read" if secret else "held"


def forbidden_syscalls() -> str:
    """Make each forbidden call; the filter must answer, never the kernel."""
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None:
        return f"broke: no table of calls for {platform.machine()}"
    library = ctypes.CDLL(None, use_errno=True)
    for name, numbers in FORBIDDEN_CALLS.items():
        refused = numbers[column] == -1 or _call(library, numbers[column], 0) in (
            errno.EPERM,
            errno.ENOSYS,
        )
        if not refused:
            return f"broke: {name} reached the kernel"
    for flag in NEW_NAMESPACES:
        if _call(library, CLONE_CALL[column], flag | signal.SIGCHLD) != errno.EPERM:
            return f"broke: clone with {flag:#x}"
    if _call(library, CLONE3_CALL[column], 0) != errno.ENOSYS:
        return "broke: clone3 reached the kernel"
    for family, protocol in FORBIDDEN_SOCKETS:
        try:
            socket.socket(family, socket.SOCK_RAW, protocol).close()
        except PermissionError:
            continue
        except OSError as problem:
            return f"broke: socket family {family} reached the kernel: {problem}"
        return f"broke: socket family {family}"
    return "held"


def leave_daemon() -> str:
    """Leave a process behind that goes on writing after its parent's end."""
    beat = WORKSPACE / "beat"
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for _ in range(1000):
                with beat.open("ab") as file:
                    file.write(b".")
                time.sleep(0.02)
        os._exit(0)
    while not beat.exists():
        time.sleep(0.01)
    return "held"


def find_daemon() -> str:
    """Look whether what the phase before left behind is still at work."""
    beat = WORKSPACE / "beat"
    before = beat.stat().st_size
    time.sleep(0.3)
    grown = beat.stat().st_size - before
    _remove([beat])
    return f"broke: a process outlived its phase ({grown} beats)" if grown else "held"


def stubborn_loop() -> str:
    """Ignore every signal that can be ignored, and never end."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass
    return "broke: a minute where a second was allowed"


def _folders() -> Iterator[str]:
    """Yield every folder of the image that is neither a kernel's window nor ours to write."""
    for folder, below, _ in os.walk("/"):
        if folder == "/":
            below[:] = [name for name in below if name not in ("proc", "sys", "dev", "tmp", "ws")]
        yield folder


def _has_socket(path: Path) -> bool:
    return path.is_socket() or any(each.is_socket() for each in path.glob("**/*"))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _expected(problem: OSError, number: int, held: str) -> str:
    return held if problem.errno == number else f"broke: ended by {problem} instead"


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _call(library: ctypes.CDLL, number: int, first: int) -> int:
    """Make one system call with zeros; return its errno, 0 when it succeeded."""
    result = library.syscall(number, ctypes.c_long(first), 0, 0, 0, 0, 0)
    if result == 0 and number in CLONE_CALL:
        os._exit(0)  # the child of a clone that should not have worked
    return ctypes.get_errno() if result == -1 else 0


ROWS: dict[str, Callable[[], str]] = {
    row.__name__: row
    for row in (
        fork_bomb, memory_bomb, disk_fill, big_file, inode_bomb, rootfs_write, host_reach,
        network_reach, log_flood, privileges, devices, kernel_settings, forbidden_syscalls,
        leave_daemon, find_daemon, stubborn_loop,
    )
}  # fmt: skip

if __name__ == "__main__":
    print(ROWS[sys.argv[1]](), flush=True)
