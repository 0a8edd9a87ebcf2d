"""Calls the server with grpcio and the stubs generated from proto/cache.proto.
Holds what several test files need to speak about a call; starts nothing."""

import contextlib

import grpc

import cache_pb2 as pb
import cache_pb2_grpc

# Every call has a deadline, so that a server that hangs fails a test.
TIMEOUT_S = 10

UNBOUNDED_MESSAGES = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class Client:
    """One channel, and each RPC as a method that takes metadata by name:
    `client.Get(pb.CacheKey(key="k"), namespace="team", request_id="r-1")`."""

    def __init__(
        self,
        address,
        credentials=None,
        compression=None,
        options=(),
        stub=cache_pb2_grpc.CacheServiceStub,
    ):
        options = [*UNBOUNDED_MESSAGES, *options]
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options, compression)
        else:
            self.channel = grpc.secure_channel(address, credentials, options, compression)
        self._stub = stub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def __getattr__(self, rpc):
        method = getattr(self._stub, rpc)

        def call(request, **metadata):
            return method(request, timeout=TIMEOUT_S, metadata=_metadata(**metadata))

        return call

    def with_call(self, rpc, request, **metadata):
        """The reply together with the call, whose metadata it shows."""
        method = getattr(self._stub, rpc)
        return method.with_call(request, timeout=TIMEOUT_S, metadata=_metadata(**metadata))

    # The short forms that most tests are made of.

    def set(self, key, value=b"v", ttl=0, **metadata):
        return self.Set(pb.CacheItem(key=key, value=value, ttl=ttl), **metadata).status

    def get(self, key, **metadata):
        """The value, or None for a miss."""
        reply = self.Get(pb.CacheKey(key=key), **metadata)
        assert reply.found or reply.value == b"", "a miss carries no value"
        return reply.value if reply.found else None

    def set_if_absent(self, key, value=b"v", ttl=0, **metadata):
        return self.SetIfAbsent(pb.CacheItem(key=key, value=value, ttl=ttl), **metadata).status

    def compare_and_set(self, key, expected, value, ttl=0, **metadata):
        request = pb.CompareAndSetRequest(key=key, expected_value=expected, value=value, ttl=ttl)
        return self.CompareAndSet(request, **metadata).status

    def delete(self, key, **metadata):
        return self.Delete(pb.CacheKey(key=key), **metadata).status

    def stats(self):
        return self.Stats(pb.Empty())


def _metadata(namespace=None, request_id=None):
    pairs = [("x-cache-namespace", namespace), ("x-request-id", request_id)]
    return [(name, value) for name, value in pairs if value is not None]


def request_id_of(call):
    """The request id, or None. A reply with a message has it in its initial metadata; an
    error is one block, which gRPC reads as trailing metadata."""
    pairs = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
    return dict(pairs).get("x-request-id")


class Refusal:
    """What `refused` caught: the code, the message and the call itself."""

    def __init__(self):
        self.call = None

    @property
    def code(self):
        return self.call.code()

    @property
    def message(self):
        return self.call.details()


@contextlib.contextmanager
def refused(code, message=None):
    """Expects the RPC in the block to fail with this code, and, where the
    contract fixes the words, with exactly this message."""
    refusal = Refusal()
    try:
        yield refusal
    except grpc.RpcError as error:
        refusal.call = error
    assert refusal.call is not None, f"expected {code.name}, but the call went through"
    assert refusal.code == code, f"expected {code.name}, got {refusal.code.name}: {refusal.message}"
    if message is not None:
        assert refusal.message == message


# Texts that clients out there compare with; the contract fixes them.
KEY_EMPTY = "Key cannot be empty"
KEY_TOO_LONG = "Key is too long (max 256)"
NAMESPACED_KEY_TOO_LONG = "Namespaced key is too long"
VALUE_TOO_LARGE = "Value exceeds maximum allowed cache entry size"
