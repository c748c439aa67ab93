#!/usr/bin/env bash
# Make the image of the service: make-service-image.sh [name] [base]
#
# The wheels of the lock file are fetched by this machine's own pip, checked by their hashes and
# laid into the build; inside it only Debian's packages are fetched. Nothing is done where an image
# of the same inputs stands. The base is the one that the builder images stand on ('make images').
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-escrow/service:local}
base=${2:-escrow/base:bookworm}
python=.venv/bin/python

docker image inspect "$base" >/dev/null 2>&1 || {
    echo "The base image $base is missing; 'make images' makes it." >&2
    exit 1
}
inputs=$({
    git ls-files -s escrow builders agreements pyproject.toml requirements.lock docker/service
    git diff HEAD -- escrow builders agreements pyproject.toml requirements.lock docker/service
    docker image inspect --format '{{.Id}}' "$base"
} | sha256sum | cut -c1-16)
if [ "$(docker image inspect --format '{{index .Config.Labels "escrow.inputs"}}' "$name" 2>/dev/null)" = "$inputs" ]; then
    exit 0
fi

echo "==> making $name (a minute or two)"
# Kept between runs: the wheels of one lock file are the same for ever.
wheels=${ESCROW_WHEELS:-/var/tmp/escrow-wheels-$(id -u)}
mkdir -p "$wheels"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
$python scripts/runtime_lock.py >"$context/requirements.lock"
# What Debian 12 runs, whatever runs here.
platforms=(any manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux_2_5_x86_64
    manylinux1_x86_64)
$python -m pip --disable-pip-version-check download -q --no-deps --require-hashes \
    --only-binary :all: --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none \
    "${platforms[@]/#/--platform=}" -d "$wheels" -r "$context/requirements.lock"
mkdir "$context/wheels"
cp "$wheels"/*.whl "$context/wheels/"
rm -rf build
$python -m pip --disable-pip-version-check wheel -q --no-deps --no-build-isolation \
    -w "$context/wheels" .
cp docker/service/Dockerfile "$context/"
proxies=()
for variable in http_proxy https_proxy no_proxy; do
    if [ -n "${!variable:-}" ]; then proxies+=(--build-arg "$variable=${!variable}"); fi
done
# The host's network: a bridge often cannot reach the host's resolver or proxy.
DOCKER_BUILDKIT=0 docker build -q --network host --build-arg "BASE=$base" "${proxies[@]}" \
    --label "escrow.inputs=$inputs" -t "$name" "$context" >/dev/null
echo "==> $name is made"
