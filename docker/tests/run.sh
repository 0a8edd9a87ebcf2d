#!/bin/bash
# Builds the images and tests them with real containers. `make test-containers` runs it.
#   run.sh DIRECTORY PYTHON [PYTEST_ARGUMENT...]
# DIRECTORY keeps what is downloaded. Whatever is made in Docker is removed at the end, or
# kept with KEEP=1; only the builder's cache stays, as Docker cannot remove a part of it.
# Without a Docker engine only the manifests of Kubernetes are checked.
set -euo pipefail

directory=$(realpath -m "$1") python=$2
shift 2
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
root=$(realpath "$here/../..")
# The profile without link-time optimisation, which takes minutes for each program.
profile=${PROFILE:-checks}
export TINY_CACHE_TEST_RUN=tiny-cache-test-$$
run=$TINY_CACHE_TEST_RUN

say() {
    echo "test-containers: $1"
}

# Plug-ins of Docker and kubectl, where this machine has none: those of Debian's suite trixie.
provide_tools() {
    local tools=$directory/tools config=$directory/docker-config
    if docker compose version && docker buildx version && kubectl version --client; then
        return
    fi >/dev/null 2>&1
    if [ ! -e "$tools.made" ]; then
        "$here/debian-packages.sh" "$tools" trixie docker-compose docker-buildx kubernetes-client || return 0
        touch "$tools.made"
    fi
    export PATH=$PATH:$tools/usr/bin
    if ! docker compose version || ! docker buildx version; then
        mkdir -p "$config/cli-plugins"
        ln -sf "$tools"/usr/libexec/docker/cli-plugins/* "$config/cli-plugins/"
        export DOCKER_CONFIG=$config
    fi >/dev/null 2>&1
}

# build TARGET NAME
build() {
    local log=$directory/build-$1.log start=$SECONDS
    # BuildKit, which the classic builder of old clients would otherwise stand in for.
    if ! DOCKER_BUILDKIT=1 timeout 1800 docker build --progress plain \
        --file "$root/docker/Dockerfile" --target "$1" --tag "$2:$run" --label "tiny-cache.test=$run" \
        --build-arg PROFILE="$profile" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        "$root" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        say "the image of the $1 was not built; $log has everything" >&2
        return 1
    fi
    say "built $2 in $((SECONDS - start)) s: $(docker image inspect --format '{{.Size}}' "$2:$run") bytes"
}

clean_up() {
    local ids=() filter
    [ -z "${KEEP:-}" ] || { say "kept what was made, with the label tiny-cache.test=$run"; return; }
    for filter in tiny-cache.test="$run" com.docker.compose.project="$run-v1" com.docker.compose.project="$run-v2"; do
        mapfile -t ids < <(docker ps --all --quiet --filter "label=$filter")
        [ ${#ids[@]} = 0 ] || docker rm --force --volumes "${ids[@]}" >/dev/null
        for kind in network volume; do
            mapfile -t ids < <(docker "$kind" ls --quiet --filter "label=$filter")
            [ ${#ids[@]} = 0 ] || docker "$kind" rm "${ids[@]}" >/dev/null
        done
    done
    mapfile -t ids < <(docker images --quiet --filter "label=tiny-cache.test=$run" | sort -u)
    [ ${#ids[@]} = 0 ] || docker rmi --force "${ids[@]}" >/dev/null
}

mkdir -p "$directory"
provide_tools
if ! timeout 20 docker info >/dev/null 2>&1; then
    "$python" -m pytest -q -rs -p no:cacheprovider "$@" "$here/test_kubernetes.py"
    cat >&2 <<'END'
############################################################################
# test-containers: SKIPPED, as no Docker engine answers here.              #
# Neither the images nor compose.yaml were tried; only the manifests were. #
############################################################################
END
    exit 0
fi

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
"$here/stand-ins.sh" "$directory" "$run"
build server tiny-cache-server
build loadtest tiny-cache-loadtest
build cli tiny-cache
start=$SECONDS
"$python" -m pytest -q -rs -p no:cacheprovider "$@" "$here"
say "tested in $((SECONDS - start)) s; everything took $SECONDS s"
