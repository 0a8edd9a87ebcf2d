"""Runs httpwg-cli, the HTTP/2 conformance suite, against the engine's example and against the
server: `run.py HTTPWG PAGE ECHO SERVER`.

The example must pass every case. PAGE has a table of those that the server fails, each with the
reason; a case that fails without one, or that has one and passes, is an error."""

import os
import re
import socket
import subprocess
import sys

# A case that waits for what does not come takes as long.
FRAME_TIMEOUT_MS = 2000
# One case after another. Side by side, httpwg-cli 0.2.5 now and then closes a connection of its own
# before the answer has come, and counts the end that it made as the error that the case waits for.
ONE_BY_ONE = {"SEQUENTIAL": "1"}
GIVE_UP_S = 120

ALL_CASES = 107


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1", listener.getsockname()[1]


def run(httpwg, address, program, *arguments, **settings):
    """The names of the cases that passed."""
    options = ["--address", "{}:{}".format(*address), "--frame-timeout", str(FRAME_TIMEOUT_MS)]
    finished = subprocess.run(
        [httpwg, *options, "--", os.path.abspath(program), *arguments],
        env={**os.environ, **ONE_BY_ONE, **settings},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=GIVE_UP_S,
    )
    output = re.sub(r"\x1b\[[0-9;]*m", "", finished.stdout + finished.stderr)
    passed = set(re.findall(r"Test passed: RFC 9113 :: (.*)", output))
    if f"Passed {len(passed)}/{ALL_CASES} tests" not in output:
        sys.exit(f"httpwg did not run {ALL_CASES} cases, or not to the end:\n{output[-4000:]}")
    return passed


def listed(page):
    """The cases that the server is known to fail: rows of two cells, the first in backquotes."""
    with open(page, encoding="utf-8") as lines:
        return set(re.findall(r"^\| `(\d\. [^`|]+ :: [^`|]+)` \| [^|]+ \|$", lines.read(), re.MULTILINE))


def main(httpwg, page, echo, server):
    address = free_address()
    everything = run(httpwg, address, echo, "{}:{}".format(*address))
    print(f"the engine passes {len(everything)} of {ALL_CASES} cases")
    host, port = free_address()
    settings = {"CACHE_HOST": host, "CACHE_PORT": str(port), "CACHE_HEALTH_PORT": "0"}
    passed = run(httpwg, (host, port), server, CACHE_LOG_LEVEL="ERROR", **settings)
    print(f"the server passes {len(passed)}")

    misses, known = everything - passed, listed(page)
    wrong = [f"the server fails a case that {page} does not list: {case}" for case in sorted(misses - known)]
    wrong += [f"{page} lists a case that does not fail: {case}" for case in sorted(known - misses)]
    if len(everything) < ALL_CASES:
        wrong.append("the engine fails a case; these pass:\n" + "\n".join(sorted(everything)))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
