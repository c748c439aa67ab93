#!/usr/bin/env bash
# Make the given programs available from Debian's packages: ensure-tools.sh program[=package] …
# Installs only what is missing, in one go; says what it does. Takes nothing away that is there (a
# mail server, say, that another would replace), and starts no service that comes along.
set -euo pipefail

missing=()
for item in "$@"; do
    command -v "${item%%=*}" >/dev/null || missing+=("${item#*=}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "These are needed and not installed: ${missing[*]}. Install them, or run as root on Debian." >&2
    exit 1
fi
echo "==> installing ${missing[*]}"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove \
    "${missing[@]}" >/dev/null
