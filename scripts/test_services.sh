#!/usr/bin/env bash
# Starts Postgres (with a fresh cluster) and Redis on private ports, runs the store suites against them, and stops them.
# Needs Debian's packages `postgresql`, for vectors `postgresql-17-pgvector`, and `redis-server`. Arguments go to pytest.
# Then the conformance suite of MCP runs, which comes from npm (tests/mcp_conformance).
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
if ! command -v redis-server >/dev/null; then
    echo "Redis is not installed: apt-get install redis-server" >&2
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
free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
port=$(free_port)

stop() {
    [ -z "${redis:-}" ] || kill "$redis" 2>/dev/null || true
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
mkdir "$work/redis"
redis_port=$(free_port)
# On standard input, so that the password is in no list of processes.
redis-server - >/dev/null <<EOF &
port $redis_port
bind 127.0.0.1
dir $work/redis
save ""
requirepass $password
EOF
redis=$!
for _ in $(seq 100); do
    REDISCLI_AUTH=$password redis-cli -p "$redis_port" ping 2>/dev/null | grep -q PONG && break
    sleep 0.1
done
export MAINSPRING_STORES__REDIS="redis://:$password@127.0.0.1:$redis_port/0"
export MAINSPRING_STORES__DATABASE="postgresql://mainspring:$password@127.0.0.1:$port/postgres"
# What needs one of both says so in its id. The rest of these suites is what `make test` runs.
"$python" -m pytest -n "${WORKERS:-2}" --dist worksteal -k "postgres or redis" tests/features tests/conformance \
    tests/rag tests/serving tests/stores tests/test_decoder.py tests/test_backup_services.py "$@"
# The official suite of the Model Context Protocol, over our server and our client.
"$python" -m tests.mcp_conformance.run
