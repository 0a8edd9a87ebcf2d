"""Connections that the engine's example `transcribe` has made and played: frames, and what the
engine did about each."""

import dataclasses
import os
import subprocess

DEADLINE_S = 300


@dataclasses.dataclass
class Outcome:
    """What a server did about a frame, as far as two servers that are both right must agree."""

    # Stream to method, path and length of the body, of requests that are complete.
    requests: dict = dataclasses.field(default_factory=dict)
    # Stream to blocks, bytes of data, whether it was ended, and the code of RST_STREAM.
    streams: dict = dataclasses.field(default_factory=dict)
    pongs: list = dataclasses.field(default_factory=list)
    settings_acks: int = 0
    goaway: int | None = None
    over: bool = False

    def sent(self, stream):
        return self.streams.setdefault(stream, [0, 0, False, None])

    def add(self, kind, flags, stream, payload):
        """Counts a frame that was sent."""
        if kind in (0, 1):
            sent = self.sent(stream)
            sent[kind == 0] += len(payload) if kind == 0 else 1
            sent[2] |= bool(flags & 1)
        elif kind == 3:
            self.sent(stream)[3] = int.from_bytes(payload, "big")
        elif kind == 4:
            self.settings_acks += flags & 1
        elif kind == 6:
            self.pongs.append(payload)
        elif kind == 7:
            self.goaway = int.from_bytes(payload[4:8], "big")
            self.over |= self.goaway != 0

    @property
    def did(self):
        """In a word what it did, with the code where there is one."""
        if self.over:
            return "end", self.goaway
        for sent in self.streams.values():
            if sent[3] is not None:
                return "reset", sent[3]
        return ("answer" if self.requests else "nothing"), None


def parse(line):
    """A frame, and the engine's outcome."""
    frame, *words = line.split()
    outcome = Outcome()
    for word in words:
        name, _, value = word.partition("=")
        parts = value.split(":")
        if name == "q":
            outcome.requests[int(parts[0])] = bytes.fromhex(parts[1]), bytes.fromhex(parts[2]), int(parts[3])
        elif name == "s":
            stream, blocks, data, end, reset = parts
            outcome.streams[int(stream)] = [int(blocks), int(data), end == "1", None if reset == "-" else int(reset)]
        elif name == "p":
            outcome.pongs.append(bytes.fromhex(value))
        elif name == "a":
            outcome.settings_acks = int(value)
        elif name == "g":
            outcome.goaway = int(value)
        else:
            outcome.over = True
    return bytes.fromhex(frame), outcome


def connections(first, count):
    """Seeds, and the frames and outcomes of each."""
    program = os.environ["TINY_CACHE_TRANSCRIBE_BIN"]
    written = subprocess.run(
        [program, str(first), str(count)], capture_output=True, text=True, check=True, timeout=DEADLINE_S
    ).stdout
    found = {}
    for line in written.splitlines():
        if line.isdigit() and len(line) < 10:
            played = found[int(line)] = []
        else:
            played.append(parse(line))
    return found


def frames_of(data):
    """Cuts what was sent into frames."""
    while data:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]
        data = data[9 + size :]
