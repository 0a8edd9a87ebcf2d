"""An agent on libcurl, which stands on nghttp2. curl knows nothing of gRPC: the agent frames the
messages, sends the deadline and reads the trailers."""

import io
import queue
import sys
import threading

import pycurl

from commands import read, say, say_ended, say_reply


class Call:
    """One transfer."""

    def __init__(self, number, url, authority, timeout, request):
        self.number, self.headers, self.body = number, {}, io.BytesIO()
        message = b"\0" + len(request).to_bytes(4, "big") + request
        self.handle = pycurl.Curl()
        options = {
            pycurl.URL: url,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
            pycurl.HTTPHEADER: [
                "content-type: application/grpc",
                "te: trailers",
                "expect:",
                f"grpc-timeout: {int(timeout * 1000)}m",
            ],
            pycurl.POST: 1,
            pycurl.POSTFIELDSIZE_LARGE: len(message),
            pycurl.READDATA: io.BytesIO(message),
            # Waits for the connection that is being opened, instead of opening another.
            pycurl.PIPEWAIT: 1,
            pycurl.WRITEDATA: self.body,
            pycurl.HEADERFUNCTION: self._header,
            pycurl.TIMEOUT_MS: int(timeout * 1000) + 200,
        }
        if authority is not None:
            options[pycurl.CAINFO] = authority
            options[pycurl.HTTP_VERSION] = pycurl.CURL_HTTP_VERSION_2TLS
        for option, value in options.items():
            self.handle.setopt(option, value)
        self.handle.call = self

    def _header(self, line):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.headers[name.strip().lower()] = value.strip()

    def say(self):
        status = int(self.headers.get("grpc-status", 2))
        if status == 0:
            say_reply(self.number, self.body.getvalue()[5:])
        else:
            say_ended(self.number, status, self.headers.get("grpc-message", "no grpc-status"))

    def say_failed(self, error, message):
        code = {pycurl.E_OPERATION_TIMEDOUT: 4, pycurl.E_COULDNT_CONNECT: 14}.get(error, 14)
        say_ended(self.number, code, f"curl {error}: {message}")


class Agent:
    def __init__(self, address, authority=None):
        self.base = ("http" if authority is None else "https") + "://" + address
        self.authority = authority
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        self.multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, 1000)
        self.commands = queue.SimpleQueue()
        self.calls = {}

    def run(self):
        threading.Thread(target=self._read, daemon=True).start()
        say("ready", pycurl.version_info()[1])
        while True:
            self._obey()
            while self.multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
                pass
            self._finish()
            self.multi.select(0.01)

    def _read(self):
        for command in read():
            self.commands.put(command)
        self.commands.put(None)

    def _obey(self):
        while not self.commands.empty():
            command = self.commands.get()
            if command is None:
                sys.exit()
            number, what = command
            if what is None:
                if call := self.calls.pop(number, None):
                    self.multi.remove_handle(call.handle)
                    say_ended(number, 1)
                continue
            path, timeout, request = what
            call = self.calls[number] = Call(number, self.base + path, self.authority, timeout, request)
            self.multi.add_handle(call.handle)

    def _finish(self):
        _, done, failed = self.multi.info_read(1000)
        for handle, error, message in [*((handle, None, None) for handle in done), *failed]:
            call = self.calls.pop(handle.call.number)
            if error is None:
                call.say()
            else:
                call.say_failed(error, message)
            self.multi.remove_handle(handle)


Agent(*sys.argv[1:]).run()
