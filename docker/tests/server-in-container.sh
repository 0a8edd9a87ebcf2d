#!/bin/bash
# Stands in for the server's program where a test starts one: runs the image with the
# settings of the environment, with the least rights, and on the addresses of the host.
set -euo pipefail

options=(--label "tiny-cache.test=$TINY_CACHE_TEST_RUN" --label tiny-cache.test.contract --network=host --read-only --cap-drop=ALL
    --security-opt=no-new-privileges)
while IFS='=' read -r name _; do
    [[ $name != CACHE_* ]] || options+=(--env "$name")
done < <(env)
exec docker run --rm "${options[@]}" "tiny-cache-server:$TINY_CACHE_TEST_RUN" "$@"
