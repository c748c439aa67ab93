#!/usr/bin/env bash
# Make .venv hold exactly what requirements.lock names; cheap when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
wanted=$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed and '$python' is none; set PYTHON=/path/to/python3.11." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian splits these off; everywhere else they come with Python.
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "'$python' cannot make virtual environments; install python3-venv." >&2
        exit 1
    fi
    echo "==> installing python3-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
fi
echo "==> installing the locked Python packages into .venv (a minute the first time)"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip --disable-pip-version-check install -q --no-deps --require-hashes --only-binary :all: -r requirements.lock
.venv/bin/python -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e .
printf '%s' "$wanted" >"$stamp"
