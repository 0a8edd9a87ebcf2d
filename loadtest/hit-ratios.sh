#!/bin/sh
# Replays a trace against servers of several memory limits, under each eviction policy, and
# prints the hit ratios beside the best that any policy could reach. Run it with `make replay`,
# which builds what it needs.
#
#   hit-ratios.sh SERVER LOADTEST TRACE LIMIT_MB...
#   hit-ratios.sh --check TRACE LIMIT_MB...
#
# TRACE is a file, or empty for a trace that is made. PICTURE names a file to draw the ratios into,
# as SVG. --check looks at the arguments and runs
# nothing, so that what is missing is said before minutes of building.
#
# Every run has a fresh server on free ports. 16 requests in flight are few enough that
# hardly any access meets a miss of its own key that is still being filled.
set -eu

IN_FLIGHT=16
VALUE_SIZE=1KiB

# The trace that is made where none is named.
MADE_ACCESSES=100000
MADE_KEYS=50000
MADE_ZIPF=zipf:0.9
MADE_ONCE=15%

fail() {
    echo "hit-ratios: $1" >&2
    exit 2
}

# check TRACE LIMIT_MB...: refuses what could not be replayed.
check() {
    [ $# -ge 2 ] || fail "no memory limit: name some with LIMITS_MB='8 16'"
    if [ -n "$1" ]; then
        [ -e "$1" ] || fail "there is no trace $1: name a file with TRACE=FILE, or none to make one"
        [ -f "$1" ] && [ -r "$1" ] || fail "cannot read the trace $1: name another with TRACE=FILE"
    fi
    shift
    for limit in "$@"; do
        case $limit in
            *[!0-9]* | '' | 0*) fail "a memory limit is a whole number of MiB from 1, not $limit" ;;
        esac
    done
}

if [ "${1:-}" = --check ]; then
    shift
    check "$@"
    exit
fi
[ $# -ge 4 ] || fail "usage: hit-ratios.sh SERVER LOADTEST TRACE LIMIT_MB..."
server=$1 loadtest=$2 trace=$3
shift 3
check "$trace" "$@"
for program in "$server" "$loadtest"; do
    [ -x "$program" ] || fail "$program is not built"
done

dir=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" || :; fi; rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$dir/log"

name=${trace##*/}
if [ -z "$trace" ]; then
    trace=$dir/made.csv
    "$loadtest" trace generate --output "$trace" --accesses "$MADE_ACCESSES" --keys "$MADE_KEYS" \
        --key-distribution "$MADE_ZIPF" --once "$MADE_ONCE" --value-size "$VALUE_SIZE"
    name="made: $MADE_ACCESSES accesses, $MADE_ONCE to keys asked for once, the others $MADE_ZIPF over $MADE_KEYS"
fi

# start POLICY LIMIT_MB: starts a server and waits until it says where it listens. Values of up to a
# quarter of the memory leave room for a window: with the default a limit below 6 MiB has none.
start() {
    largest=$(($2 < 16 ? $2 << 18 : 4 << 20))
    CACHE_EVICTION_POLICY=$1 CACHE_MAX_MEMORY_MB=$2 CACHE_MAX_VALUE_BYTES=$largest \
        CACHE_LOG_FORMAT=json \
        CACHE_HOST=127.0.0.1 CACHE_PORT=0 CACHE_HEALTH_HOST=127.0.0.1 CACHE_HEALTH_PORT=0 \
        "$server" 2>"$dir/log" &
    pid=$!
    # Open until the server has ended: nobody reads on, but what it logs fits into the pipe.
    exec 3<"$dir/log"
    said=
    while read -r line <&3; do
        said=$line
        address=$(echo "$line" | sed -n 's/.*"listening".*"grpc":"\([^"]*\)".*/\1/p')
        [ -z "$address" ] || return 0
    done
    pid=
    fail "the server did not start: ${said:-it gave no reason}"
}

stop() {
    kill -TERM "$pid"
    wait "$pid" || fail "the server ended with exit code $?"
    pid=
    exec 3<&-
}

# figure PATTERN: the last number in the report that follows the pattern at the start of a line.
# Without one the form of the report has changed, and the table would be wrong.
figure() {
    found=$(sed -n "s/^ *$1\([0-9.][0-9.]*\).*/\1/p" "$dir/report.json" | tail -n 1)
    [ -n "$found" ] || fail "the report has no $1"
    echo "$found"
}

# run POLICY LIMIT_MB: one replay, which leaves its hit ratio in $ratio.
run() {
    echo "$2 MiB, $1" >&2
    start "$1" "$2"
    "$loadtest" replay "$trace" --target "$address" --in-flight "$IN_FLIGHT" \
        --value-size "$VALUE_SIZE" --ttl 0 --json "$dir/report.json" >"$dir/report.txt" || {
        tail -n 20 "$dir/report.txt" >&2
        fail "the replay at $2 MiB under $1 failed"
    }
    stop
    ratio=$(figure '"hit_ratio": ')
    entries=$(figure '"after": {"entries": ')
}

# optimum ENTRIES: the best hit ratio with so many entries, in percent.
optimum() {
    "$loadtest" trace optimum "$trace" --entries "$1" | awk '$NF == "%" { print $(NF - 1) }'
}

heading() {
    printf '%s, values of %s, %s requests in flight\n\n' "$name" "$VALUE_SIZE" "$IN_FLIGHT"
    printf '%12s %12s %10s %10s %10s %10s\n' "memory limit" "entries" "optimum" "window" "TinyLFU" "LRU"
}

# The entries are those under the window, and the optimum is that of so many: residents, as all are
# under the other policies, take more memory.
heading >"$dir/table"
for limit in "$@"; do
    run window "$limit"
    window=$ratio held=$entries
    run tinylfu "$limit"
    tinylfu=$ratio
    run lru "$limit"
    awk -v limit="$limit" -v held="$held" -v best="$(optimum "$held")" \
        -v window="$window" -v tinylfu="$tinylfu" -v lru="$ratio" 'BEGIN {
        print limit, held, best, 100 * window, 100 * tinylfu, 100 * lru
    }' >>"$dir/rows"
done
awk '{ printf "%8d MiB %12d %8.2f %% %8.2f %% %8.2f %% %8.2f %%\n", $1, $2, $3, $4, $5, $6 }' \
    "$dir/rows" >>"$dir/table"
cat "$dir/table"
[ -z "${PICTURE:-}" ] || {
    awk -v title="Hit ratio of $name" -f "${0%.sh}.awk" "$dir/rows" >"$PICTURE"
    echo "the picture is in $PICTURE" >&2
}
