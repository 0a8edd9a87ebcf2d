#!/usr/bin/env bash
# Prints how much of the engine's code its own tests run, file by file, and fails below the least
# that is allowed: `http2/coverage.sh CARGO_LLVM_COV TARGET_DIRECTORY`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Percent of lines.
least=97

# What reads rustc's profiles must be as new as its LLVM: rustup's component llvm-tools, or Debian's
# packages of that version, which are unpacked and not installed.
if [ -z "$(find "$(rustc --print sysroot)" -name llvm-profdata)" ]; then
    version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    llvm=$2/llvm-$version
    if [ ! -d "$llvm" ]; then
        mkdir -p "$llvm.debs"
        (cd "$llvm.debs" && apt-get -q download "llvm-$version" "libllvm$version" libz3-4 libpfm4)
        for package in "$llvm.debs"/*.deb; do
            dpkg --extract "$package" "$llvm"
        done
        rm -r "$llvm.debs"
    fi
    export LLVM_COV=$llvm/usr/lib/llvm-$version/bin/llvm-cov
    export LLVM_PROFDATA=$llvm/usr/lib/llvm-$version/bin/llvm-profdata
    export LD_LIBRARY_PATH=$llvm/usr/lib/llvm-$version/lib:$llvm/usr/lib/$(uname -m)-linux-gnu
fi

CARGO_TARGET_DIR=$2 "$1" llvm-cov --manifest-path http2/Cargo.toml --lib --tests \
    --ignore-filename-regex '(tests|examples|benches)/' --fail-under-lines "$least"
