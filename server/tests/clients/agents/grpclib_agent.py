"""An agent on grpclib, which stands on python-h2."""

import asyncio
import importlib.metadata
import ssl
import sys

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError

from commands import Ended, serve


class Bytes(CodecBase):
    """Messages as they are."""

    __content_subtype__ = "proto"

    def encode(self, message, message_type):
        return message

    def decode(self, data, message_type):
        return data


async def main(address, authority=None):
    host, port = address.rsplit(":", 1)
    tls = None
    if authority is not None:
        tls = ssl.create_default_context(cafile=authority)
        tls.set_alpn_protocols(["h2"])
    channel = Channel(host, int(port), ssl=tls, codec=Bytes())

    async def call(path, timeout, request):
        try:
            return await UnaryUnaryMethod(channel, path, bytes, bytes)(request, timeout=timeout)
        except GRPCError as error:
            raise Ended(error.status.value, error.message) from error
        except asyncio.TimeoutError as error:
            raise Ended(4) from error
        except (StreamTerminatedError, OSError) as error:
            raise Ended(14, repr(error)) from error

    await serve(importlib.metadata.version("grpclib"), call)
    channel.close()


asyncio.run(main(*sys.argv[1:]))
