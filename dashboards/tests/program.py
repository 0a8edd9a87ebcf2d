"""A child process that is waited for by what it says on standard error. Knows nothing
of which program it is."""

import os
import re
import subprocess
import threading

# Generous on purpose: a loaded machine must not turn a pass into a failure.
DEADLINE_S = 20


class Program:
    """Runs until the end of the block."""

    def __init__(self, *command):
        self._command = [str(part) for part in command]
        self._log = ""
        self._ended = False
        self._changed = threading.Condition()

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(DEADLINE_S)
        self._process.stderr.close()

    def wait_for(self, pattern):
        """What the group of the pattern matched."""
        with self._changed:
            self._changed.wait_for(lambda: re.search(pattern, self._log) or self._ended, DEADLINE_S)
            match = re.search(pattern, self._log)
        if not match:
            raise AssertionError(f"{' '.join(self._command)} did not say {pattern!r} but:\n{self._log}")
        return match[1]

    def _read(self):
        for line in self._process.stderr:
            with self._changed:
                self._log += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def path(variable):
    """Where the Makefile says that a program is."""
    place = os.environ.get(variable)
    if not place:
        raise RuntimeError(f"{variable} is not set: run `make test-dashboards`")
    return os.path.abspath(place)
