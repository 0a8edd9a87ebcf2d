#!/usr/bin/env bash
# What a second tier costs: `make bench-tier`. Near hits with a tier against those without one, in
# turns, and reads that are not near against redis-benchmark on the same Redis. Everything is on the
# loopback and shares the machine's cores, so that only the ratios mean something, and those only on
# a quiet machine.
#
# Usage: tier.sh BIN, the folder of tiny-cache-server and tiny-cache-loadtest. ROUNDS and SECONDS_EACH
# say how often and how long; the median of the rounds counts.
set -euo pipefail
bin=$1
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-2}
folder=$(mktemp -d)
running=()

finish() {
    for pid in "${running[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

for program in redis-server redis-benchmark jq curl; do
    command -v "$program" >/dev/null || { echo "bench-tier needs $program" >&2; exit 1; }
done

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

redis=$(free_port)
redis-server --port "$redis" --bind 127.0.0.1 --save '' >/dev/null &
running+=($!)
# answers NAME COMMAND…: waits until the command succeeds, while the program that was started last runs.
answers() {
    local name=$1
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "${running[-1]}" 2>/dev/null || { echo "bench-tier: $name ended at its start" >&2; exit 1; }
        sleep 0.05
    done
}

answers redis-server redis-cli -p "$redis" ping

# start NAME VARIABLE=VALUE…: a server, whose address is put into the variable NAME.
start() {
    local name=$1 grpc http
    shift
    grpc=$(free_port)
    http=$(free_port)
    env CACHE_HOST=127.0.0.1 CACHE_PORT="$grpc" CACHE_HEALTH_HOST=127.0.0.1 CACHE_HEALTH_PORT="$http" \
        CACHE_LOG_LEVEL=ERROR "$@" "$bin/tiny-cache-server" &
    running+=($!)
    answers tiny-cache-server curl -sf "http://127.0.0.1:$http/ready"
    printf -v "$name" '127.0.0.1:%s' "$grpc"
}

tier=(CACHE_BACKEND=redis CACHE_BACKEND_REQUIRED=true "CACHE_BACKEND_URL=redis://127.0.0.1:$redis")
start plain CACHE_MAX_MEMORY_MB=256
start near "${tier[@]}" CACHE_MAX_MEMORY_MB=256
start far "${tier[@]}" CACHE_MAX_MEMORY_MB=256 CACHE_MAX_ITEMS=1

# load TARGET KEYS OPTION…: reads at full speed, and leaves the report in the folder.
load() {
    local target=$1 keys=$2
    shift 2
    "$bin/tiny-cache-loadtest" run --target "$target" --rate max --duration "${seconds}s" \
        --warm-up 500ms --keys "$keys" --key-size 16 --value-size 100 --ttl 0 --connections 4 \
        --progress none --no-namespace --json "$folder/report.json" "$@" >/dev/null
}

# figure EXPRESSION NAME: adds a figure of the last report to the file NAME.
figure() {
    jq -r "$1" "$folder/report.json" >>"$folder/$2"
}

median() {
    sort -g "$folder/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

cpu='.server.usage.cpu_seconds * 1e6 / .requests'
fast='.answered_per_second'

load "$plain" 1000 --mix get=1 --prefill
load "$near" 1000 --mix get=1 --prefill
load "$far" 100000 --mix get=1 --prefill
for _ in $(seq "$rounds"); do
    load "$plain" 1000 --mix get=1
    figure "$cpu" plain.cpu
    figure "$fast" plain.fast
    load "$near" 1000 --mix get=1
    figure "$cpu" near.cpu
    figure "$fast" near.fast
    load "$far" 100000 --mix get=1 --in-flight 64
    figure "$fast" far.fast
    load "$far" 100000 --mix mget=1 --batch 16 --in-flight 64
    figure ".answered_per_second * 16" batch.fast
    redis-benchmark -p "$redis" -t get -P 16 -c 4 -n 300000 -d 100 -r 100000 --csv |
        awk -F '"' '/GET/ { print $4 }' >>"$folder/redis.fast"
done

report() {
    awk -v what="$1" -v a="$2" -v b="$3" -v unit="$4" \
        'BEGIN { printf "%-44s %12.2f %12.2f %-10s %6.3f\n", what, a, b, unit, a / b }'
}
printf '%-44s %12s %12s %-10s %6s\n' "median of $rounds rounds" here against '' ratio
report "near hit, CPU of the server (no tier)" "$(median near.cpu)" "$(median plain.cpu)" us/call
report "near hit, calls (no tier)" "$(median near.fast)" "$(median plain.fast)" 1/s
report "Get that is not near (redis-benchmark -P 16)" "$(median far.fast)" "$(median redis.fast)" keys/s
report "MultiGet of 16 (redis-benchmark -P 16)" "$(median batch.fast)" "$(median redis.fast)" keys/s
