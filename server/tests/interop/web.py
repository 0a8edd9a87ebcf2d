"""Asks the HTTP port, and waits for what a server says of itself to come true."""

import http.client
import json
import time

from process import DEADLINE_S


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def fetch(server, path, method="GET", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=DEADLINE_S)
    try:
        connection.request(method, path, headers=headers or {})
        return Reply(connection.getresponse())
    finally:
        connection.close()


def eventually(condition, within_s=DEADLINE_S):
    """Asks again and again, for what no signal announces. Returns what the
    condition last said, so that a test asserts on it."""
    deadline = time.monotonic() + within_s
    while not (outcome := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return outcome
