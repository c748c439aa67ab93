#!/usr/bin/env bash
# Make the passwords of the database's users, whatever of them is missing: make-secrets.sh [folder]
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-secrets}
mkdir -p "$folder"
# Containers see each file alone and as users whom this machine does not know, so the files are
# readable; the folder keeps everybody of this machine away from them.
chmod 700 "$folder"
for name in database-owner database-portal database-worker database-keyholder; do
    if [ ! -s "$folder/$name" ]; then
        python3 -c 'import secrets; print(secrets.token_urlsafe(32), end="")' >"$folder/.$name.new"
        chmod 444 "$folder/.$name.new"
        mv "$folder/.$name.new" "$folder/$name"
    fi
done
