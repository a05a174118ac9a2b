#!/usr/bin/env bash
# Starts Postgres on a private port with a fresh cluster, runs the store suite against it, and stops it.
# Needs Debian's packages `postgresql` and, for vectors, `postgresql-17-pgvector`. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

for directory in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V); do
    PATH=$directory:$PATH
done
if ! command -v initdb >/dev/null || ! command -v pg_ctl >/dev/null; then
    echo "Postgres is not installed: apt-get install postgresql" >&2
    exit 1
fi

work=$(mktemp -d)
password=$("$python" -c 'import secrets; print(secrets.token_hex(16))')
echo "$password" >"$work/password"
# Postgres refuses to run as root.
as=()
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || { echo "the user postgres is missing: apt-get install postgresql" >&2; exit 1; }
    chown -R postgres "$work"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups env "PATH=$PATH" HOME="$work")
fi
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

stop() {
    (cd / && "${as[@]}" pg_ctl -D "$work/data" -m immediate -w stop >/dev/null 2>&1) || true
    rm -rf "$work"
}
trap stop EXIT

(
    cd /
    "${as[@]}" initdb -D "$work/data" -U mainspring --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
        --pwfile="$work/password" >/dev/null
    "${as[@]}" pg_ctl -D "$work/data" -l "$work/log" -w start \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work -c fsync=off" >/dev/null
)
export MAINSPRING_STORES__DATABASE="postgresql://mainspring:$password@127.0.0.1:$port/postgres"
"$python" -m pytest tests/conformance/test_stores.py tests/conformance/test_vectors.py tests/rag/test_transfer.py "$@"
