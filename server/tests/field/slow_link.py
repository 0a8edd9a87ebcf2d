"""A slow line to a server: takes connections and passes them on, towards the
server at a given rate. Knows bytes; nothing of HTTP/2."""

import contextlib
import socket
import threading
import time

PIECES_PER_S = 10


class SlowLink:
    """`address` is where clients connect. Each connection has the whole rate."""

    def __init__(self, upstream, bytes_per_s):
        host, port = upstream.rsplit(":", 1)
        self.upstream = (host, int(port))
        self.piece = bytes_per_s // PIECES_PER_S
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open = []

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for end in [self.listener, *self.open]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                self.open += [client, server]
                threading.Thread(target=self._slowly, args=(client, server), daemon=True).start()
                threading.Thread(target=self._at_once, args=(server, client), daemon=True).start()

    def _slowly(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(self.piece):
                sink.sendall(piece)
                time.sleep(len(piece) / self.piece / PIECES_PER_S)
            sink.shutdown(socket.SHUT_WR)

    def _at_once(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
