#!/usr/bin/env bash
# Make sure a Docker engine answers: ensure-engine.sh [state-dir]
#
# Where one answers (DOCKER_HOST or the local socket), nothing is done. Elsewhere, as root on
# Debian, docker.io is installed and dockerd started in the background; its log lies in the state
# directory. Running it twice is safe and cheap.
set -euo pipefail

state=${1:-${ESCROW_ENGINE_STATE:-/var/lib/escrow-engine}}
socket=/var/run/docker.sock

# Asked over the socket itself: the client program may be missing where the engine is there.
answers() {
    if command -v docker >/dev/null; then
        timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
    else
        [ -S "$socket" ] && [ -w "$socket" ] && timeout 10 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
sys.exit(b" 200 " not in s.recv(64))' "$socket" 2>/dev/null
    fi
}

refuse() {
    echo "$1" >&2
    exit 1
}

if [ -n "${DOCKER_HOST:-}" ] && ! command -v docker >/dev/null; then
    echo "==> DOCKER_HOST=$DOCKER_HOST is taken as it is: no client is here to ask it"
    exit 0
fi
if answers; then exit 0; fi

if [ -n "${DOCKER_HOST:-}" ]; then
    refuse "No Docker engine answers at DOCKER_HOST=$DOCKER_HOST; start it there, or unset DOCKER_HOST."
fi
if [ "$(id -u)" != 0 ]; then
    refuse "No Docker engine answers, and only root can start one; run this as root, or start Docker (and join the group 'docker')."
fi

# docker.io brings containerd, runc and the init that reaps a build's orphans.
packages=()
command -v dockerd >/dev/null || packages+=(docker.io)
command -v iptables >/dev/null || packages+=(iptables)
# Without its parser, the engine cannot start containers on a kernel that uses AppArmor.
if grep -qs Y /sys/module/apparmor/parameters/enabled && ! command -v apparmor_parser >/dev/null; then
    packages+=(apparmor)
fi
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || refuse "No Docker engine is installed and this is no Debian; install Docker, then run this again."
    echo "==> installing ${packages[*]} (a minute)"
    apt-get update -qq
    # The package's own attempt to start a service fails where no init system runs; we start it.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    hash -r
fi

# Where systemd runs, the package has started the engine, or systemd does it now.
if [ -d /run/systemd/system ]; then systemctl start docker >/dev/null 2>&1 || true; fi

mkdir -p "$state"
log=$state/dockerd.log
exec 9>"$state/lock"
flock 9 # two of us at once must not start two engines

mount_cgroups() { # without an init system nobody has mounted the limits that containers live under
    grep -q ' /sys/fs/cgroup' /proc/mounts && return
    if grep -q cgroup2 /proc/filesystems; then mount -t cgroup2 none /sys/fs/cgroup && return; fi
    refuse "The control groups of the kernel are not mounted, and containers cannot be limited without them."
}

# Our containers have no network and our image builds use the host's, so an engine that cannot set
# up a bridge is good enough; a kernel without nft tables may still have the older ones.
engine_options() {
    iptables -w 5 -t nat -L -n >/dev/null 2>&1 && return
    if iptables-legacy -w 5 -t nat -L -n >/dev/null 2>&1; then
        update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null
    else
        echo --iptables=false --ip6tables=false --bridge=none
    fi
}

start_engine() {
    mount_cgroups
    # A pid file left by a crash keeps a new engine from starting.
    rm -f /var/run/docker.pid
    echo "==> starting the Docker engine (log: $log)"
    # shellcheck disable=SC2046 # the options are meant to be words
    setsid dockerd $(engine_options) >>"$log" 2>&1 </dev/null 9>&- &
}

# The package may have started one by itself; ours is started only where none is on its way.
starts=0
for ((waited = 0; waited < 60; waited++)); do
    if answers; then break; fi
    if ! pidof dockerd >/dev/null && [ "$starts" -lt 2 ]; then
        start_engine
        starts=$((starts + 1))
    fi
    sleep 1
done
if ! answers; then
    echo "The Docker engine did not come up within a minute; the end of its log:" >&2
    tail -n 15 "$log" >&2 || true
    exit 1
fi
echo "==> the Docker engine answers"
