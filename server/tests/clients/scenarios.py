"""What every client goes through, over one connection and in this order. Each scenario returns when
the client has done what it should, and raises `Failed` where it has not."""

import random
import time

import grpc

import cache_pb2 as pb
from agent import CANCELLED, DEADLINE_EXCEEDED, OK, Failed
from figures import figure
from web import eventually

CODES = {code.value[0]: code for code in grpc.StatusCode}

MIB = 1 << 20
# Nothing that a client can compress.
BIG = random.Random(1).randbytes(3 * MIB)

# At this rate the value above takes 1.5 s, and a call can be given up in its middle.
SLOW_BYTES_PER_S = 2 * MIB
SOON_S = 0.3

AT_ONCE = 300
DOWNLOADS_GIVEN_UP = 20

# Below what the server takes of large messages at once.
DRAINED_CALLS = 5
# Each takes a second and more.
DRAIN_BYTES_PER_S = MIB
# A connection with open calls gets GOAWAY 100 ms after SIGTERM.
PAST_GOAWAY_S = 0.3


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: another than expected", f"{found!r:.80}, not {wanted!r:.80}")


def nine_rpcs(agent, _site):
    item = pb.CacheItem(key="one", value=b"1")
    keys = pb.MultiCacheKeyRequest(keys=["one", "two"])
    done = {"status": pb.OK}
    replies = [
        ("Set", item, pb.CacheResponse(**done)),
        ("Get", pb.CacheKey(key="one"), pb.CacheValue(found=True, value=b"1")),
        ("SetIfAbsent", item, pb.ConditionalCacheResponse(status=pb.EXISTS)),
        (
            "CompareAndSet",
            pb.CompareAndSetRequest(key="one", expected_value=b"1", value=b"2"),
            pb.ConditionalCacheResponse(status=pb.STORED),
        ),
        (
            "MultiSet",
            pb.MultiCacheItemRequest(items=[pb.CacheItem(key="two", value=b"2")]),
            pb.MultiCacheResponse(items=[pb.CacheOperationResult(key="two", **done)]),
        ),
        (
            "MultiGet",
            keys,
            pb.MultiCacheValueResponse(items=[pb.CacheLookup(key=key, found=True, value=b"2") for key in keys.keys]),
        ),
        ("Delete", pb.CacheKey(key="one"), pb.CacheResponse(**done)),
        (
            "MultiDelete",
            pb.MultiCacheKeyRequest(keys=["two"]),
            pb.MultiCacheResponse(items=[pb.CacheOperationResult(key="two", **done)]),
        ),
        # A miss is a reply without content.
        ("Get", pb.CacheKey(key="one"), pb.CacheValue()),
    ]
    for rpc, request, reply in replies:
        expect(rpc, agent.call(rpc, request, type(reply)), reply)
    expect("Stats", agent.call("Stats", pb.Empty(), pb.CacheStats).hits, 2 + 1)


def value_both_ways(agent, _site):
    agent.call("Set", pb.CacheItem(key="big", value=BIG), pb.CacheResponse)
    expect("the value", get(agent, "big"), BIG)


def calls_at_once(agent, site):
    before = site.link.connections
    calls = [
        agent.begin("Set", pb.CacheItem(key=f"k{n}", value=str(n).encode())) if n % 2 else
        agent.begin("Get", pb.CacheKey(key="big" if n % 100 == 0 else "nothing"))
        for n in range(AT_ONCE)
    ]
    expect("codes", sorted({call.end() for call in calls}), [OK])
    for n in (1, AT_ONCE - 1):
        expect(f"k{n}", get(agent, f"k{n}"), str(n).encode())
    if site.direct:
        expect("new connections", site.link.connections - before, 0)


def deadline(agent, site):
    with site.slowly():
        call = agent.begin("Set", pb.CacheItem(key="late", value=BIG), SOON_S)
        code = call.end()
    works_on(agent, "late")
    if code != DEADLINE_EXCEEDED:
        raise Failed(f"ends with {CODES[code].name}", call.message)


def cancellation(agent, site):
    with site.slowly():
        upload = agent.begin("Set", pb.CacheItem(key="given up", value=BIG))
        time.sleep(SOON_S)
        upload.cancel()
        expect("the code of an upload", upload.end(), CANCELLED)
    for _ in range(DOWNLOADS_GIVEN_UP):
        download = agent.begin("Get", pb.CacheKey(key="big"))
        download.cancel()
        # It may have been answered before.
        if download.end() not in (OK, CANCELLED):
            raise Failed("a download fails", f"{download.code} {download.message}")
    works_on(agent, "given up")


def works_on(agent, never_stored):
    """What was given up has taken no part of the connection's windows with it."""
    expect("what was not sent whole", get(agent, never_stored), None)
    for _ in range(2):
        expect("a value afterwards", get(agent, "big"), BIG)
        agent.call("Set", pb.CacheItem(key="big", value=BIG), pb.CacheResponse)


def drain(agent, site):
    with site.slowly(DRAIN_BYTES_PER_S):
        item = pb.CacheItem(key="drained", value=BIG[:MIB])
        calls = [agent.begin("Set", item) for _ in range(DRAINED_CALLS)]
        if not eventually(lambda: figure(site.server, "tiny_cache_active_requests") == DRAINED_CALLS, 10):
            raise Failed("the calls are not open at once")
        site.server.terminate()
        time.sleep(PAST_GOAWAY_S)
        if any(call.ended.is_set() and call.code == OK for call in calls):
            raise Failed("calls ended before the drain")
    lost = [call for call in calls if call.end() != OK]
    if lost:
        raise Failed("open calls are lost", f"{len(lost)} of {len(calls)}, {lost[0].code} {lost[0].message}")
    expect("the server's exit code", site.server.exit_code(), 0)
    if agent.begin("Get", pb.CacheKey(key="big"), 5).end() == OK:
        raise Failed("a call succeeded without a server")


def get(agent, key):
    reply = agent.call("Get", pb.CacheKey(key=key), pb.CacheValue)
    return reply.value if reply.found else None


SCENARIOS = {
    "nine RPCs": nine_rpcs,
    "3 MiB both ways": value_both_ways,
    "300 calls at once": calls_at_once,
    "deadline": deadline,
    "cancellation": cancellation,
    "drain": drain,
}
