"""nghttp2, by its C interface, as a server that answers each request when it is complete."""

import ctypes
import ctypes.util
import os
import pathlib

from transcripts import Outcome, frames_of

STREAM_WINDOW = 64 << 10
CONNECTION_WINDOW = 1 << 20

MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 6
NO_END_STREAM, EOF = 2, 1
END_STREAM = 1


def library():
    """Debian's, of the system or unpacked below a directory."""
    unpacked = pathlib.Path(os.environ.get("NGHTTP2_DIR") or "/nowhere").glob("**/libnghttp2.so.14")
    return ctypes.CDLL(str(next(unpacked, None) or ctypes.util.find_library("nghttp2") or "libnghttp2.so.14"))


lib = library()

POINTER = ctypes.c_void_p


class FrameHead(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_size_t),
        ("stream", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
    ]


class Setting(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int32), ("value", ctypes.c_uint32)]


class Field(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("value", ctypes.c_char_p),
        ("name_length", ctypes.c_size_t),
        ("value_length", ctypes.c_size_t),
        ("flags", ctypes.c_uint8),
    ]


ReadData = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, POINTER, ctypes.c_int32, POINTER, ctypes.c_size_t, ctypes.POINTER(ctypes.c_uint32), POINTER, POINTER
)


class Provider(ctypes.Structure):
    _fields_ = [("source", POINTER), ("read", ReadData)]


OnFrame = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.POINTER(FrameHead), POINTER)
OnHeader = ctypes.CFUNCTYPE(
    ctypes.c_int,
    POINTER,
    ctypes.POINTER(FrameHead),
    POINTER,
    ctypes.c_size_t,
    POINTER,
    ctypes.c_size_t,
    ctypes.c_uint8,
    POINTER,
)
OnData = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.c_uint8, ctypes.c_int32, POINTER, ctypes.c_size_t, POINTER)
OnClose = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.c_int32, ctypes.c_uint32, POINTER)

lib.nghttp2_session_mem_recv.restype = ctypes.c_ssize_t
lib.nghttp2_session_mem_recv.argtypes = [POINTER, ctypes.c_char_p, ctypes.c_size_t]
lib.nghttp2_session_mem_send.restype = ctypes.c_ssize_t
lib.nghttp2_session_mem_send.argtypes = [POINTER, ctypes.POINTER(POINTER)]
lib.nghttp2_session_want_read.argtypes = [POINTER]
lib.nghttp2_session_del.argtypes = [POINTER]
lib.nghttp2_session_callbacks_del.argtypes = [POINTER]
lib.nghttp2_submit_settings.argtypes = [POINTER, ctypes.c_uint8, ctypes.POINTER(Setting), ctypes.c_size_t]
lib.nghttp2_session_set_local_window_size.argtypes = [POINTER, ctypes.c_uint8, ctypes.c_int32, ctypes.c_int32]
lib.nghttp2_submit_response.argtypes = [
    POINTER,
    ctypes.c_int32,
    ctypes.POINTER(Field),
    ctypes.c_size_t,
    ctypes.POINTER(Provider),
]
lib.nghttp2_submit_headers.argtypes = [
    POINTER,
    ctypes.c_uint8,
    ctypes.c_int32,
    POINTER,
    ctypes.POINTER(Field),
    ctypes.c_size_t,
    POINTER,
]
lib.nghttp2_submit_trailer.argtypes = [POINTER, ctypes.c_int32, ctypes.POINTER(Field), ctypes.c_size_t]


def field(name, value):
    return (Field * 1)(Field(name, value, len(name), len(value), 0))


class Oracle:
    def __init__(self, streams):
        self.arriving = {}
        self.waiting = {}
        self.complete = []
        self.over = False
        self.callbacks = [
            OnFrame(self.on_begin),
            OnHeader(self.on_header),
            OnFrame(self.on_frame),
            OnData(self.on_data),
            OnClose(self.on_close),
        ]
        self.provider = Provider(None, ReadData(self.read))
        made = POINTER()
        lib.nghttp2_session_callbacks_new(ctypes.byref(made))
        names = ["begin_headers", "header", "frame_recv", "data_chunk_recv", "stream_close"]
        for name, callback in zip(names, self.callbacks):
            set_ = getattr(lib, f"nghttp2_session_callbacks_set_on_{name}_callback")
            set_.argtypes = [POINTER, type(callback)]
            set_(made, callback)
        self.session = POINTER()
        lib.nghttp2_session_server_new(ctypes.byref(self.session), made, None)
        lib.nghttp2_session_callbacks_del(made)
        settings = (Setting * 3)(
            Setting(MAX_CONCURRENT_STREAMS, streams),
            Setting(INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            Setting(MAX_HEADER_LIST_SIZE, 65_535),
        )
        lib.nghttp2_submit_settings(self.session, 0, settings, 3)
        lib.nghttp2_session_set_local_window_size(self.session, 0, 0, CONNECTION_WINDOW)
        self.sent()

    def close(self):
        lib.nghttp2_session_del(self.session)

    def take(self, data):
        outcome = Outcome()
        if not self.over:
            self.over = lib.nghttp2_session_mem_recv(self.session, data, len(data)) < 0
            for stream, request in self.complete:
                outcome.requests[stream] = request
                self.answer(stream, request[1])
            self.complete = []
            for frame in frames_of(self.sent()):
                outcome.add(*frame)
        self.over |= outcome.over
        outcome.over = self.over
        return outcome

    def sent(self):
        data = bytearray()
        while True:
            piece = POINTER()
            size = lib.nghttp2_session_mem_send(self.session, ctypes.byref(piece))
            if size <= 0:
                return bytes(data)
            data += ctypes.string_at(piece, size)

    def answer(self, stream, path):
        size = path.rpartition(b"/")[2]
        self.waiting[stream] = int(size) if size.isdigit() and int(size) <= 100_000 else 0
        if self.waiting[stream] == 0:
            # No data, which would wait for a window.
            lib.nghttp2_submit_headers(self.session, 0, stream, None, field(b":status", b"200"), 1, None)
            lib.nghttp2_submit_trailer(self.session, stream, field(b"grpc-status", b"0"), 1)
            return
        lib.nghttp2_submit_response(self.session, stream, field(b":status", b"200"), 1, ctypes.byref(self.provider))

    def read(self, session, stream, buffer, length, flags, source, user):
        size = min(length, self.waiting[stream])
        ctypes.memset(buffer, 0, size)
        self.waiting[stream] -= size
        if self.waiting[stream] == 0:
            flags[0] |= EOF | NO_END_STREAM
            lib.nghttp2_submit_trailer(session, stream, field(b"grpc-status", b"0"), 1)
        return size

    def on_begin(self, session, head, user):
        self.arriving.setdefault(head[0].stream, [b"", b"", 0])
        return 0

    def on_header(self, session, head, name, name_length, value, value_length, flags, user):
        request = self.arriving.get(head[0].stream)
        name = ctypes.string_at(name, name_length)
        if request and name in (b":method", b":path"):
            request[name == b":path"] = ctypes.string_at(value, value_length)
        return 0

    def on_frame(self, session, head, user):
        if head[0].kind in (0, 1) and head[0].flags & END_STREAM and head[0].stream in self.arriving:
            self.complete.append((head[0].stream, tuple(self.arriving.pop(head[0].stream))))
        return 0

    def on_data(self, session, flags, stream, data, length, user):
        if stream in self.arriving:
            self.arriving[stream][2] += length
        return 0

    def on_close(self, session, stream, code, user):
        self.arriving.pop(stream, None)
        return 0
