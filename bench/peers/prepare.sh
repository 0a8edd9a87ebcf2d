#!/bin/bash
# Finds, unpacks or builds the servers that are not part of this repository. Each gets a folder
# with `run`, which starts it, or with `missing`, which says in a line why there is none.
#   prepare.sh DIRECTORY [PEER...]
set -euo pipefail

here=$(dirname "$(realpath "$0")")
directory=$(realpath -m "$1")
shift
peers=("$@")
[ ${#peers[@]} -gt 0 ] || peers=(grpc-cpp redis valkey memcached)
libraries="usr/lib/$(gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")"

# Writes `run` for a program in a tree of unpacked packages, or anywhere.
run() {
    local folder=$1 program=$2 tree=$1/tree
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%q\nexec %q "$@"\n' \
        "$tree/$libraries:$tree/lib/${libraries##*/}" "$program" > "$folder/run"
    chmod +x "$folder/run"
}

# A server of a Debian package, unless it is on the PATH.
packaged() {
    local folder=$1 package=$2 program=$3
    if command -v "$program" >/dev/null; then
        run "$folder" "$(command -v "$program")"
        return
    fi
    "$here/debian.sh" "$folder/tree" "$package" || "$here/debian.sh" --backports "$folder/tree" "$package"
    run "$folder" "$folder/tree/usr/bin/$program"
}

grpc-cpp() {
    local folder=$1 tree=$1/tree
    command -v g++ >/dev/null || { echo "there is no C++ compiler (g++)" >&2; return 1; }
    "$here/debian.sh" "$tree" libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc
    mkdir -p "$folder/generated"
    LD_LIBRARY_PATH=$tree/$libraries "$tree/usr/bin/protoc" \
        --plugin=protoc-gen-grpc="$tree/usr/bin/grpc_cpp_plugin" -I "$here/../../proto" \
        --cpp_out="$folder/generated" --grpc_out="$folder/generated" cache.proto
    g++ -std=c++17 -O2 -I "$folder/generated" -I "$tree/usr/include" -I "$tree/usr/include/${libraries##*/}" \
        "$here/cpp/echo.cc" "$folder"/generated/*.cc -o "$folder/echo" \
        -L "$tree/$libraries" -Wl,-rpath-link,"$tree/$libraries",--copy-dt-needed-entries -lgrpc++ -lprotobuf -pthread
    run "$folder" "$folder/echo"
}

prepare() {
    case $1 in
        grpc-cpp) grpc-cpp "$2" ;;
        redis) packaged "$2" redis-server redis-server ;;
        valkey) packaged "$2" valkey-server valkey-server ;;
        memcached) packaged "$2" memcached memcached ;;
        *) ;;
    esac
}

# A shell of its own for each, so that one that fails does not end the others.
if [ "${1:-}" = --one ]; then
    prepare "$2" "$3"
    exit
fi
for peer in "${peers[@]}"; do
    case $peer in grpc-cpp | redis | valkey | memcached) ;; *) continue ;; esac
    folder=$directory/$peer
    [ ! -x "$folder/run" ] || continue
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! "$0" "$directory" --one "$peer" "$folder" >"$folder.log" 2>&1; then
        rm -f "$folder/run"
        { grep -m 1 -E '^(E:|there is|.*error:)' "$folder.log" || tail -n 1 "$folder.log"; } > "$folder/missing"
    fi
done
