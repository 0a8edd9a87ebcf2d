"""A drain as clients see it whose HTTP/2 library closes the connection at the
first GOAWAY, whatever is open on it: python-h2, and with it grpclib and
betterproto."""

import asyncio
import contextlib
import random

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError

import cache_pb2 as pb

DRAINS = 10
CONNECTIONS = 4
CALLERS_OF_EACH = 2

# Between two calls of a caller. With a value that takes many round trips of flow control,
# each connection has a call open for about a third of the time.
MOST_PAUSE_S = 0.2
VALUE = bytes(512 * 1024)


class Calls:
    """Callers that repeat one call until the port is closed."""

    def __init__(self, port):
        self.channels = [Channel("127.0.0.1", port) for _ in range(CONNECTIONS)]
        self.answered = 0
        self.lost = []

    async def run(self):
        await asyncio.gather(*(self._call(channel) for channel in self.channels for _ in range(CALLERS_OF_EACH)))

    async def _call(self, channel):
        get = UnaryUnaryMethod(channel, "/cache.CacheService/Get", pb.CacheKey, pb.CacheValue)
        while True:
            try:
                await get(pb.CacheKey(key="k"), timeout=30)
                self.answered += 1
            except (StreamTerminatedError, GRPCError, asyncio.TimeoutError) as error:
                # It was on its way when the connection closed.
                self.lost.append(repr(error))
            except OSError:
                # The port is closed, and the call was never sent.
                return
            await asyncio.sleep(random.uniform(0, MOST_PAUSE_S))

    async def reach(self, answered):
        while self.answered < answered:
            await asyncio.sleep(0.01)

    def close(self):
        for channel in self.channels:
            channel.close()


async def drain(server):
    with contextlib.closing(Channel("127.0.0.1", server.grpc_port)) as channel:
        set_ = UnaryUnaryMethod(channel, "/cache.CacheService/Set", pb.CacheItem, pb.CacheResponse)
        await set_(pb.CacheItem(key="k", value=VALUE), timeout=30)
    calls = Calls(server.grpc_port)
    with contextlib.closing(calls):
        running = asyncio.ensure_future(calls.run())
        await calls.reach(50)
        server.terminate()
        await asyncio.wait_for(running, 60)
    return calls


def test_a_drain_loses_no_call_of_a_client_that_closes_at_the_first_goaway(start):
    """GOAWAY came at once, whatever was open, and half of the drains lost calls."""
    lost = []
    for _ in range(DRAINS):
        server = start()
        calls = asyncio.run(drain(server))
        lost += [calls.lost] if calls.lost else []
        assert server.exit_code() == 0
    print(f"{len(lost)} of {DRAINS} drains lost calls: {lost}")
    # A call that crosses GOAWAY on the wire is lost with such a client, whatever the server
    # does. On an idle machine that is a coincidence of a fraction of a millisecond.
    assert len(lost) <= 4, lost
