"""Drives an agent: begins calls, gives them up, and waits for their ends. Knows the lines of
`agents/commands.py`, and no client library."""

import hashlib
import itertools
import os
import pathlib
import subprocess
import tempfile
import threading

# Generous on purpose: a loaded machine must not turn a pass into a failure.
DEADLINE_S = 30

OK, CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE = 0, 1, 4, 14


class Failed(Exception):
    """What a client did not do. The text goes into the table, and the details may differ each time."""

    def __init__(self, text, details=""):
        super().__init__(text, details)
        self.text, self.details = text, details

    def __str__(self):
        return f"{self.text}: {self.details}"


class Call:
    """A call that an agent was told to make."""

    def __init__(self, agent, number):
        self.agent, self.number = agent, number
        self.ended = threading.Event()
        self.code = self.reply = None
        self.message = ""

    def cancel(self):
        self.agent.write(f"cancel {self.number}")

    def end(self):
        """Waits for the call's end, and returns its code."""
        if not self.ended.wait(DEADLINE_S):
            raise Failed("a call never ends", self.agent.log())
        return self.code


class Agent:
    """A running agent, which connects to an address, over TLS where an authority is named."""

    def __init__(self, command, address, authority=None, environment=None):
        self.calls, self.numbers = {}, itertools.count(1)
        self.ready, self.version = threading.Event(), None
        self.noise = []
        self.messages = tempfile.TemporaryDirectory()
        arguments = [address] if authority is None else [address, authority]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
        )
        self.readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_noise)
        ]

    def __enter__(self):
        for reader in self.readers:
            reader.start()
        if not self.ready.wait(DEADLINE_S) or self.version is None:
            self.__exit__()
            raise Failed("the client does not start", self.log())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(DEADLINE_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self.messages.cleanup()

    def write(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failed("the client has ended", self.log()) from error

    def begin(self, rpc, request, timeout_s=DEADLINE_S):
        number = next(self.numbers)
        call = self.calls[number] = Call(self, number)
        file = self._file(request.SerializeToString())
        self.write(f"call {number} /cache.CacheService/{rpc} {int(timeout_s * 1000)} {file}")
        return call

    def _file(self, message):
        file = pathlib.Path(self.messages.name) / hashlib.sha256(message).hexdigest()
        if not file.exists():
            file.write_bytes(message)
        return file

    def call(self, rpc, request, reply, timeout_s=DEADLINE_S):
        """Makes one call that must succeed, and returns its reply, of the type `reply`."""
        call = self.begin(rpc, request, timeout_s)
        if call.end() != OK:
            raise Failed(f"{rpc} fails", f"{call.code} {call.message}")
        return reply.FromString(call.reply)

    def log(self):
        return " / ".join("".join(self.noise).strip().splitlines()[-3:]) or "it says nothing"

    def _read_lines(self):
        for line in self.process.stdout:
            first, second, *rest = line.rstrip("\n").split(" ", 3)
            if first == "ready":
                self.version = second
                self.ready.set()
            elif call := self.calls.get(int(first)):
                call.code = int(second)
                call.reply = bytes.fromhex(rest[0]) if rest[0] != "-" else b""
                call.message = rest[1] if len(rest) > 1 else ""
                call.ended.set()
        self.ready.set()

    def _read_noise(self):
        self.noise.extend(self.process.stderr)
