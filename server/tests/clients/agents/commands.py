"""What an agent reads and writes. An agent is a program that makes calls over one connection of
the client library that it is made of, so that every client goes through the same scenarios:

    call ID PATH TIMEOUT_MS FILE     begins a call with the bytes of a file; its end is one line of output
    cancel ID                        gives it up

The first line of output is `ready VERSION`, and each call ends with `ID CODE REPLY_IN_HEX`, where
`-` stands for no reply, and a message for people may follow. The input's end is the agent's.
"""

import asyncio
import sys
import threading

_writing = threading.Lock()


class Ended(Exception):
    """A call ended without a reply."""

    def __init__(self, code, message=""):
        super().__init__(code, message)
        self.code = code
        self.message = message


def say(*words):
    with _writing:
        print(*words, flush=True)


def say_reply(number, reply):
    say(number, 0, reply.hex() or "-")


def say_ended(number, code, message=""):
    say(number, code, "-", " ".join(str(message).split())[:200])


def read():
    """Each command as (ID, None) for a cancel, or (ID, (path, timeout in seconds, request))."""
    for line in sys.stdin:
        verb, number, *rest = line.rstrip("\n").split(" ")
        if verb == "cancel":
            yield number, None
        else:
            path, timeout_ms, file = rest
            with open(file, "rb") as request:
                yield number, (path, int(timeout_ms) / 1000, request.read())


async def serve(version, call):
    """Reads commands for a client of asyncio: `await call(path, timeout, request)`."""
    tasks = {}

    async def one(number, path, timeout, request):
        try:
            say_reply(number, await call(path, timeout, request))
        except Ended as ended:
            say_ended(number, ended.code, ended.message)
        except asyncio.CancelledError:
            say_ended(number, 1)
        except Exception as error:  # noqa: BLE001 - whatever a library throws is its end of the call
            say_ended(number, 2, repr(error))

    say("ready", version)
    commands = read()
    while (command := await asyncio.to_thread(next, commands, None)) is not None:
        number, what = command
        if what is None:
            tasks[number].cancel()
        else:
            tasks[number] = asyncio.ensure_future(one(number, *what))
