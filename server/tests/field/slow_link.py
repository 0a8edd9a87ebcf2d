"""A line to a server that can be slow: takes connections and passes them on, towards the
server at a given rate. Knows bytes; nothing of HTTP/2."""

import contextlib
import socket
import threading
import time

PIECES_PER_S = 10
PIECE_AT_ONCE = 65536


class SlowLink:
    """`address` is where clients connect. Each connection has the whole rate, which may be
    changed at any time; None is as fast as it goes."""

    def __init__(self, upstream, bytes_per_s):
        host, port = upstream.rsplit(":", 1)
        self.upstream = (host, int(port))
        self.bytes_per_s = bytes_per_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open = []
        self.connections = 0
        self.passed = 0

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for end in [self.listener, *self.open]:
            _close(end)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(self.upstream)
                except OSError:
                    client.close()
                    continue
                self.connections += 1
                self.open += [client, server]
                threading.Thread(target=self._towards_the_server, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _towards_the_server(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(self._piece()):
                sink.sendall(piece)
                self.passed += len(piece)
                if self.bytes_per_s:
                    time.sleep(len(piece) / self.bytes_per_s)
            sink.shutdown(socket.SHUT_WR)

    def _piece(self):
        return self.bytes_per_s // PIECES_PER_S if self.bytes_per_s else PIECE_AT_ONCE

    def _back(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_AT_ONCE):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


def _close(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
