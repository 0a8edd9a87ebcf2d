"""Clients that write and read without a pause, and try again as gRPC itself does by a
service config. Knows nothing of containers."""

import json
import threading

import grpc

import cache_pb2 as pb
import cache_pb2_grpc
from web import eventually

RETRYING = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "cache.CacheService"}],
                "waitForReady": True,
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
OPTIONS = [
    ("grpc.service_config", RETRYING),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A connection for each thread, not one that they share.
    ("grpc.use_local_subchannel_pool", 1),
]
# For a call with all its tries, across a restart of a container.
TIMEOUT_S = 60


class Load:
    """Threads that call until the end of the block. `failures` has what went wrong."""

    def __init__(self, address, threads=4):
        self.failures = []
        self.calls = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(address, n)) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def goes_on(self, calls):
        """Whether so many more calls are answered."""
        wanted = self.calls + calls
        return eventually(lambda: self.calls >= wanted, within_s=TIMEOUT_S)

    def _run(self, address, number):
        with grpc.insecure_channel(address, OPTIONS) as channel:
            stub = cache_pb2_grpc.CacheServiceStub(channel)
            count = 0
            while not self._over.is_set():
                key = f"load-{number}-{count % 1000}"
                count += 1
                try:
                    stub.Set(pb.CacheItem(key=key, value=b"v" * 100), timeout=TIMEOUT_S)
                    stub.Get(pb.CacheKey(key=key), timeout=TIMEOUT_S)
                except grpc.RpcError as error:
                    self.failures.append(f"{error.code().name}: {error.details()}")
                    return
                with self._lock:
                    self.calls += 2
