#!/usr/bin/env bash
# grpcio 1.85.1 loses retries when a service config asks for a backoff of one millisecond.
#
# A retryPolicy with `"initialBackoff": "0.001s"` is valid (gRFC A6 asks only for more than zero).
# Against a server that always aborts with UNAVAILABLE, each call should end with UNAVAILABLE after
# its four attempts, within some ten milliseconds. With 1 ms many calls hang until their deadline
# and end with DEADLINE_EXCEEDED; with 20 ms none does.
#
# What it means for callers of tiny-cache: take 5 ms or more as initialBackoff with grpcio.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check grpcio==1.85.1
cat > "$work/retries.py" <<'PY'
import json
from concurrent.futures import ThreadPoolExecutor

import grpc

CALLS = 40


class Unavailable(grpc.GenericRpcHandler):
    def service(self, _):
        def abort(_, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, "always")

        return grpc.unary_unary_rpc_method_handler(abort)


server = grpc.server(ThreadPoolExecutor(4), handlers=[Unavailable()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()


def hung(backoff):
    policy = {
        "maxAttempts": 4,
        "initialBackoff": backoff,
        "maxBackoff": "0.1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
    count = 0
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.service_config", config)]) as channel:
        call = channel.unary_unary("/a.B/C")
        for _ in range(CALLS):
            try:
                call(b"", timeout=1)
            except grpc.RpcError as error:
                count += error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    return count


short, long = hung("0.001s"), hung("0.020s")
print(f"of {CALLS} calls hung until their deadline: {short} with 1 ms, {long} with 20 ms")
raise SystemExit(0 if short > 0 and long == 0 else "grpcio-retry-backoff: this has changed")
PY
"$work/venv/bin/python" "$work/retries.py"
# Seen with grpcio 1.85.1: of 40 calls hung until their deadline: 25 with 1 ms, 0 with 20 ms
