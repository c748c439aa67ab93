#!/usr/bin/env bash
# Make a PostgreSQL image from Debian's packages, for where no registry gives the public one:
# make-postgres-image.sh [name] [base]. Done in a second where it stands.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-escrow/postgres:local}
base=${2:-escrow/base:bookworm}
proxies=()
for variable in http_proxy https_proxy no_proxy; do
    if [ -n "${!variable:-}" ]; then proxies+=(--build-arg "$variable=${!variable}"); fi
done
DOCKER_BUILDKIT=0 docker build -q --network host --build-arg "BASE=$base" "${proxies[@]}" \
    -t "$name" docker/postgres >/dev/null 2>&1 ||
    { echo "The image $name could not be made; is this machine's Debian mirror there?" >&2; exit 1; }
