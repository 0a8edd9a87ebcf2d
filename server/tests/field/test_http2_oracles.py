"""The engine beside other HTTP/2 libraries: the same frames, made from seeds, bring the same
requests, replies and ends. Where they differ, the table of the oracle has to say why. h2 of Rust is
compared with on far more frames, by `made_connections_go_as_with_h2`."""

import collections

import pytest

import differences
import oracle_hyper_h2
import oracle_nghttp2
import transcripts

CONNECTIONS = 3_000
FIRST_SEED = 1

ORACLES = {"python-h2": oracle_hyper_h2.Oracle, "nghttp2": oracle_nghttp2.Oracle}
KINDS = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()


def streams_allowed(seed):
    return 8 if seed % 5 == 0 else 100


def kind_of(frame):
    return KINDS[frame[3]] if frame[:3] != b"PRI" and frame[3] < len(KINDS) else "other"


@pytest.mark.parametrize("name", ORACLES)
def test_made_connections_go_as_with(name):
    frames, unexplained = 0, {}
    explained = collections.Counter()
    for seed, played in transcripts.connections(FIRST_SEED, CONNECTIONS).items():
        oracle = ORACLES[name](streams_allowed(seed))
        for frame, ours in played:
            theirs = oracle.take(frame)
            frames += 1
            if ours != theirs:
                difference = kind_of(frame), ours.did, theirs.did
                reason = differences.reason(name, *difference)
                if reason:
                    explained[reason] += 1
                else:
                    unexplained.setdefault(difference, (seed, frame.hex()[:200], ours, theirs))
                break
    print(f"\n{frames} frames on {CONNECTIONS} connections with {name}")
    for reason, count in explained.most_common():
        print(f"{count:7}  {reason}")
    assert frames > 10 * CONNECTIONS
    assert not unexplained
