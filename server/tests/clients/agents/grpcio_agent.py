"""An agent on grpcio, the C core of gRPC under Python."""

import sys

import grpc

from commands import read, say, say_ended, say_reply


def main(address, authority=None):
    if authority is None:
        channel = grpc.insecure_channel(address)
    else:
        with open(authority, "rb") as file:
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()))
    calls = {}

    def ended(number, call):
        code = call.code()
        if code is grpc.StatusCode.OK:
            say_reply(number, call.result())
        else:
            say_ended(number, code.value[0], call.details())

    say("ready", grpc.__version__)
    for number, what in read():
        if what is None:
            calls[number].cancel()
            continue
        path, timeout, request = what
        call = calls[number] = channel.unary_unary(path).future(request, timeout=timeout)
        call.add_done_callback(lambda call, number=number: ended(number, call))


main(*sys.argv[1:])
