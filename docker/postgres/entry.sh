#!/bin/bash
# Makes the cluster at the first start, then runs the server with whatever arguments it is given.
# POSTGRES_USER, POSTGRES_DB, and POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE as in the public image.
set -euo pipefail

if [[ ! -s "$PGDATA/PG_VERSION" ]]; then
    user=${POSTGRES_USER:-postgres}
    password=${POSTGRES_PASSWORD_FILE:-/dev/fd/3}
    # By descriptor and never as an argument: arguments can be read by everybody on the machine.
    initdb -U "$user" --pwfile="$password" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 \
        3< <(printf %s "${POSTGRES_PASSWORD:-}") >/dev/null
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    sed -i "1i local all $user peer map=first" "$PGDATA/pg_hba.conf"
    echo "first postgres $user" >>"$PGDATA/pg_ident.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start >/dev/null
    [[ ${POSTGRES_DB:-$user} == postgres ]] || createdb -U "$user" "${POSTGRES_DB:-$user}"
    pg_ctl -D "$PGDATA" -w stop >/dev/null
fi
[[ ${1:-} == postgres ]] && shift
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
