#!/usr/bin/env bash
# Make sure that 'docker compose' (version 2) is there: ensure-compose.sh
#
# Debian 12 has no package of it. Debian 13's is one static program beside documents, so its package
# is fetched and unpacked, not installed. Where Debian's packages come from is asked of this
# machine's own apt, and apt checks the signature of what it fetches, as for any package.
set -euo pipefail

suite=trixie
if docker compose version --short 2>/dev/null | grep -q '^v\?2'; then exit 0; fi

refuse() {
    echo "$1" >&2
    exit 1
}
command -v apt-get >/dev/null || refuse "'docker compose' is missing and this is no Debian; install Docker's Compose plugin."

# Of root for the whole machine; of anybody else for himself.
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
if [ "$(id -u)" = 0 ]; then plugins=/usr/local/lib/docker/cli-plugins; fi

echo "==> fetching Compose from Debian $suite (half a minute)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/fetch-debian.sh" "$suite" "$work/unpacked" docker-compose
program=$(find "$work/unpacked" -type f -name docker-compose -perm -u+x | head -n 1)
[ -n "$program" ] || refuse "The package docker-compose of $suite holds no program of that name."
install -D -m 755 "$program" "$plugins/docker-compose"
docker compose version --short | grep -q '^v\?2' || refuse "Compose is unpacked in $plugins, and docker does not find it there."
echo "==> docker compose $(docker compose version --short)"
