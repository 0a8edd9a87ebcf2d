"""A server to go through the scenarios with: on a transport, over TLS or without, behind a line
that can be slow, and with or without a proxy before it."""

import contextlib

from process import Server
from scenarios import MIB, SLOW_BYTES_PER_S
from slow_link import SlowLink


class Site:
    """`address` is where the client connects. Its calls pass `proxy`, where there is one, then the
    line `link`, then the server."""

    def __init__(self, transport, identity=None, proxy=None):
        self.settings = {"CACHE_TRANSPORT": transport, "CACHE_MAX_VALUE_BYTES": str(4 * MIB)}
        if identity is not None:
            self.settings |= {
                "CACHE_TLS_ENABLED": "true",
                "CACHE_TLS_CERT_PATH": identity.certificate_path,
                "CACHE_TLS_KEY_PATH": identity.key_path,
            }
        self.proxy = proxy
        self.direct = proxy is None

    def __enter__(self):
        with contextlib.ExitStack() as running:
            self.server = running.enter_context(Server(**self.settings))
            self.link = running.enter_context(SlowLink(self.server.grpc, None))
            self.address = self.link.address
            if self.proxy is not None:
                self.address = running.enter_context(self.proxy(self.address)).address
            self.running = running.pop_all()
        return self

    def __exit__(self, *_):
        self.running.close()

    @contextlib.contextmanager
    def slowly(self, bytes_per_s=SLOW_BYTES_PER_S):
        """The line is slow in this block."""
        self.link.bytes_per_s = bytes_per_s
        try:
            yield
        finally:
            self.link.bytes_per_s = None
