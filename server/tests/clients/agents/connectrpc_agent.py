"""An agent on connectrpc, which speaks gRPC by pyqwest: reqwest, and with it hyper and h2. It
compresses requests with gzip and takes compressed replies, as it does unless told otherwise."""

import asyncio
import importlib.metadata
import sys

import pyqwest
from connectrpc.client import ConnectClient
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType

from commands import Ended, serve

# In the order of gRPC's numbers.
NUMBERS = {code: number for number, code in enumerate(Code, start=1)}


class Bytes:
    """Messages as they are."""

    def name(self):
        return "proto"

    def encode(self, message):
        return message

    def decode(self, data, message_class):
        return bytes(data)

    def merge(self, data, message):
        return bytes(data)


def method(path):
    _, service, name = path.split("/")
    return MethodInfo(
        name=name,
        service_name=service,
        input=bytes,
        output=bytes,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.UNARY,
    )


async def main(address, authority=None):
    certificate = None
    if authority is not None:
        with open(authority, "rb") as file:
            certificate = file.read()
    transport = pyqwest.HTTPTransport(tls_ca_cert=certificate, http_version=pyqwest.HTTPVersion.HTTP2)
    async with transport:
        client = ConnectClient(
            ("http" if authority is None else "https") + "://" + address,
            codec=Bytes(),
            protocol=ProtocolType.GRPC,
            http_client=pyqwest.Client(transport),
        )

        async def call(path, timeout, request):
            try:
                return await client.execute_unary(
                    request=request, method=method(path), timeout_ms=int(timeout * 1000)
                )
            except ConnectError as error:
                raise Ended(NUMBERS[error.code], error.message) from error

        await serve(importlib.metadata.version("connectrpc"), call)


asyncio.run(main(*sys.argv[1:]))
