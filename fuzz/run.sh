#!/usr/bin/env bash
# Builds the fuzz targets once, and runs each from its seeds, as many at a time as there are cores:
# `fuzz/run.sh OUT SECONDS all|TARGET...`. Corpus, failing inputs and logs are below OUT. A target
# that fails does not keep the others from running.
#
# The flags are those of cargo-fuzz without its checks of memory; stable Rust accepts them. The
# host triple is given, because without `--target` cargo instruments build scripts too, which then
# do not link.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$1 seconds=$2
shift 2
targets=("$@") features=(--no-default-features)
for target in "$@"; do
    [[ $target = http2_* ]] || features=()
done
if [ "$*" = all ]; then
    targets=(fuzz/fuzz_targets/*.rs)
    targets=("${targets[@]##*/}")
    targets=("${targets[@]%.rs}")
fi

host=$(rustc -vV | sed -n 's/^host: //p')
flags="--cfg fuzzing -Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="$flags -Cdebug-assertions" "${CARGO:-cargo}" build --locked --release --manifest-path fuzz/Cargo.toml \
    --target "$host" --target-dir "$out/build" "${features[@]}"

export TMPDIR=$out/tmp
mkdir -p "$TMPDIR"
# fuzz TARGET: prints its line, or how it failed.
fuzz() {
    local target=$1 program=$out/build/$host/release/$1 log=$out/$1.log artifact
    mkdir -p "$out/corpus/$target" "$out/artifacts/$target"
    if "$program" -timeout=10 -rss_limit_mb=2048 "-max_total_time=$seconds" \
        "-artifact_prefix=$out/artifacts/$target/" \
        "$out/corpus/$target" "fuzz/seeds/$target" >"$log" 2>&1; then
        awk -v target="$target" '/DONE/ { printf "%-18s %12d %9d %9d\n", target, substr($1, 2), $4, $6 }' "$log"
        return
    fi
    artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "$target FAILED, see $log; the input is ${artifact:-unknown}"
    grep -m 1 -A 3 'panicked at' "$log" || tail -n 5 "$log"
    echo "reproduce it with: $program $artifact"
    return 1
}

failed=0 running=0 cores=$(nproc)
printf '%-18s %12s %9s %9s\n' target runs coverage features
for target in "${targets[@]}"; do
    if [ "$running" -eq "$cores" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit $failed
