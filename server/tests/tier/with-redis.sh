#!/usr/bin/env bash
# Runs a command beside a Redis, or a cluster of three primaries and three replicas, whose URL is in
# TINY_CACHE_TEST_BACKEND_URL: `with-redis.sh one|cluster COMMAND…`. The servers end with it.
set -euo pipefail
kind=$1
shift
folder=$(mktemp -d)
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# A port that is free, and for a cluster's bus the one 10,000 above.
free_port() {
    python3 - <<'PYTHON'
import socket
while True:
    with socket.socket() as one, socket.socket() as bus:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        if port < 55000:
            try:
                bus.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            print(port)
            break
PYTHON
}

start() {
    port=$(free_port)
    mkdir "$folder/$port"
    "${TINY_CACHE_TEST_REDIS:-redis-server}" --port "$port" --bind 127.0.0.1 --save '' \
        --dir "$folder/$port" "$@" >/dev/null &
    pids+=($!)
    until redis-cli -p "$port" ping >/dev/null 2>&1; do
        kill -0 "${pids[-1]}" 2>/dev/null || { echo "with-redis.sh: the server on port $port ended" >&2; exit 1; }
        sleep 0.05
    done
}

case $kind in
one)
    start
    export TINY_CACHE_TEST_BACKEND_URL="redis://127.0.0.1:$port"
    ;;
cluster)
    nodes=()
    for _ in 1 2 3 4 5 6; do
        start --cluster-enabled yes
        nodes+=("127.0.0.1:$port")
    done
    redis-cli --cluster create "${nodes[@]}" --cluster-replicas 1 --cluster-yes >/dev/null
    for _ in {1..300}; do
        is_whole=$(redis-cli -p "$port" cluster info | grep -c 'cluster_state:ok' || true)
        [ "$is_whole" = 0 ] || break
        sleep 0.1
    done
    [ "$is_whole" != 0 ] || { echo "with-redis.sh: the cluster is not whole after 30 s" >&2; exit 1; }
    export TINY_CACHE_TEST_BACKEND_URL="redis-cluster://${nodes[0]},${nodes[1]}"
    ;;
*)
    echo "with-redis.sh: one or cluster, not $kind" >&2
    exit 2
    ;;
esac
"$@"
