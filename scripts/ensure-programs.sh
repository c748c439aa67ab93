#!/usr/bin/env bash
# Make sure that the programs which check us are there: ensure-programs.sh
#
# None is ours: age, cosign, Sigsum's tools and a Merkle tree in Go of Debian sid, the age
# implementation, vectors and secret sharing of npm. Unpacked once for the machine, outside of this folder; nothing is installed.
# sid moves: which versions were fetched stands in <folder>/sid/versions, and tests print it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ]; then default=/var/cache/escrow-programs; else default=$HOME/.cache/escrow-programs; fi
folder=${ESCROW_PROGRAMS:-$default}
wanted=$(cat scripts/ensure-programs.sh scripts/fetch-debian.sh tests/npm/package-lock.json | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/complete" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

mkdir -p "$folder"
# Test runs of one machine may begin at the same time.
exec 9>"$folder/lock"
flock 9
if [ "$(cat "$folder/complete" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

echo "==> fetching the checking programs of others into $folder (a minute)"
rm -rf "$folder/sid" "$folder/npm"
scripts/fetch-debian.sh sid "$folder/sid" age cosign sigsum-go sigsum-c libsigsum0 \
    golang-github-transparency-dev-merkle-dev
scripts/ensure-tools.sh node=nodejs npm go=golang-go
# The npm packages ask for it; Debian 12's own Node.js is older.
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    { echo "Node.js 20.19 or newer is needed for the tests and this is $(node --version); install one." >&2; exit 1; }
mkdir -p "$folder/npm"
cp tests/npm/package.json tests/npm/package-lock.json "$folder/npm/"
(cd "$folder/npm" && npm ci --ignore-scripts --no-audit --no-fund --silent)
sed 's/^/    /' "$folder/sid/versions"
echo "$wanted" >"$folder/complete"
