"""Starts the real server as a child process and learns its addresses from its
log. Knows the environment and the log line `listening`; nothing of gRPC."""

import json
import os
import signal
import subprocess
import threading
import uuid

# Generous on purpose: a loaded machine must not turn a pass into a failure.
DEADLINE_S = 20

QUIET_DEFAULTS = {
    "CACHE_HOST": "127.0.0.1",
    "CACHE_PORT": "0",
    "CACHE_HEALTH_HOST": "127.0.0.1",
    "CACHE_HEALTH_PORT": "0",
    "CACHE_LOG_FORMAT": "json",
    # `make test-hyper` runs the suites on the other transport. None is the server's default.
    "CACHE_TRANSPORT": os.environ.get("TINY_CACHE_TEST_TRANSPORT"),
}


def binary():
    path = os.environ.get("TINY_CACHE_SERVER_BIN")
    if not path:
        raise RuntimeError("TINY_CACHE_SERVER_BIN is not set: run `make test-interop`")
    return os.path.abspath(path)


def backend():
    """The second tier that `make test-tier` runs the suite on, with keys that no other server has."""
    url = os.environ.get("TINY_CACHE_TEST_BACKEND_URL")
    if not url:
        return {}
    return {
        "CACHE_BACKEND": "redis",
        "CACHE_BACKEND_URL": url,
        "CACHE_BACKEND_PREFIX": f"{uuid.uuid4()}:",
        # Before the first call.
        "CACHE_BACKEND_REQUIRED": "true",
    }


def environment(**settings):
    """The caller's environment without any setting of the server, plus ours.
    A setting of None is left out, so that the server's own default holds."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CACHE_", "OTEL_"))}
    wanted = {**QUIET_DEFAULTS, **backend(), **settings}
    return {**inherited, **{k: v for k, v in wanted.items() if v is not None}}


def run(*arguments, **settings):
    """Runs the binary to its end, for what must not stay up."""
    return subprocess.run(
        [binary(), *arguments],
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=DEADLINE_S,
    )


class Server:
    """A running server. `grpc` and `http` are the addresses it really bound."""

    def __init__(self, **settings):
        self.log = []
        self._listening = threading.Event()
        self._addresses = None
        self.process = subprocess.Popen(
            [binary()],
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def __enter__(self):
        try:
            self.wait_until_listening()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_):
        self._kill()

    def wait_until_listening(self):
        if not self._listening.wait(DEADLINE_S) or self._addresses is None:
            raise AssertionError(
                f"the server did not say that it listens (exit code {self.process.poll()}):\n" + self.log_text()
            )

    @property
    def grpc(self):
        return self._addresses[0]

    @property
    def http(self):
        return self._addresses[1]

    @property
    def grpc_port(self):
        return int(self.grpc.rsplit(":", 1)[1])

    @property
    def http_port(self):
        return int(self.http.rsplit(":", 1)[1])

    def log_text(self):
        return "".join(self.log)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self):
        """Waits for the end, and for the last line of the log."""
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = _addresses_in(line)
            if found and self._addresses is None:
                self._addresses = found
                self._listening.set()
        self._listening.set()  # at end of file nobody shall wait any longer

    def _kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE_S)
        self.process.stderr.close()


def _addresses_in(line):
    try:
        fields = dict(_leaves(json.loads(line)))
    except ValueError:
        return None
    if fields.get("message") == "listening" and "grpc" in fields and "http" in fields:
        return fields["grpc"], fields["http"]
    return None


def _leaves(value):
    """Fields of a JSON log line, however deep the formatter nests them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, (dict, list)):
                yield from _leaves(inner)
            else:
                yield name, inner
