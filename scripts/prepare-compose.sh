#!/usr/bin/env bash
# Make what docker-compose.yml needs, whatever of it is missing: Compose itself, the images, the
# database's passwords (secrets/), and the facts of this machine (.env). Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."

# A registry that is there answers within this; where none is, this is all the attempt costs.
patience=60

scripts/ensure-compose.sh
scripts/make-service-image.sh
scripts/make-secrets.sh

remember() { # what somebody has set in .env stays
    grep -qs "^$1=" .env || echo "$1=$2" >>.env
}
remember ESCROW_DOCKER_GROUP "$(stat -c %g "${ESCROW_DOCKER_SOCKET:-/var/run/docker.sock}")"
if ! grep -qs '^ESCROW_POSTGRES_IMAGE=' .env && ! docker image inspect postgres:15 >/dev/null 2>&1 &&
    ! timeout "$patience" docker pull -q postgres:15 >/dev/null 2>&1; then
    echo "==> no registry gives postgres:15; making it of Debian's packages"
    scripts/make-postgres-image.sh escrow/postgres:local
    remember ESCROW_POSTGRES_IMAGE escrow/postgres:local
fi
