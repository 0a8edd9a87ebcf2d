"""Clients that misbehave, each in its own way, so that errors have figures too: one
request is reset, one never arrives in full, one has no key, one is malformed; one
connection stays silent and one does not speak HTTP/2. All of them begin anew until
told to stop."""

import socket
import threading
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events

DEADLINE_S = 20
PAUSE_S = 1

# Above 64 KiB a message has its turn to arrive, and 3 s at most between two parts of it.
ANNOUNCED = 100 * 1024


@contextmanager
def misbehaving(address):
    stop = threading.Event()
    threads = [
        threading.Thread(target=_again, args=(fault, address, stop), daemon=True)
        for fault in (reset, stalled, keyless, malformed, silent, no_http2)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)


def _again(fault, address, stop):
    host, port = address.rsplit(":", 1)
    while not stop.is_set():
        try:
            with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as peer:
                fault(peer)
        except OSError:
            pass  # To be cut off is what it asked for.
        stop.wait(PAUSE_S)


def reset(peer):
    """CANCELLED: the request ends before its message."""
    connection = _request(peer, "Set", b"\0")
    connection.reset_stream(1)
    peer.sendall(connection.data_to_send())
    # Answered, so that the server has read the reset before the connection ends.
    connection.ping(b"are you?")
    peer.sendall(connection.data_to_send())
    _until(peer, connection, h2.events.PingAckReceived)


def stalled(peer):
    """DEADLINE_EXCEEDED: a large message of which only the beginning comes."""
    connection = _request(peer, "Set", b"\0" + ANNOUNCED.to_bytes(4, "big") + b"only this")
    _until(peer, connection, h2.events.StreamEnded)


def keyless(peer):
    """INVALID_ARGUMENT: an empty message has an empty key."""
    connection = _request(peer, "Get", b"\0\0\0\0\0", end=True)
    _until(peer, connection, h2.events.StreamEnded)


def malformed(peer):
    """INVALID_ARGUMENT: these bytes are no message."""
    connection = _request(peer, "Get", b"\0\0\0\0\1\xff", end=True)
    _until(peer, connection, h2.events.StreamEnded)


def silent(peer):
    """Nothing is said until the server's patience is over."""
    while peer.recv(4096):
        pass


def no_http2(peer):
    """Another protocol."""
    peer.sendall(b"GET / HTTP/1.1\r\nHost: cache\r\n\r\n")
    silent(peer)


def _request(peer, method, body, end=False):
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "cache"),
        (":path", f"/cache.CacheService/{method}"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    connection.send_headers(1, headers)
    connection.send_data(1, body, end_stream=end)
    peer.sendall(connection.data_to_send())
    return connection


def _until(peer, connection, wanted):
    while received := peer.recv(65536):
        events = connection.receive_data(received)
        peer.sendall(connection.data_to_send())
        if any(isinstance(event, (wanted, h2.events.ConnectionTerminated)) for event in events):
            return
