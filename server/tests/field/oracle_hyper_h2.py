"""python-h2 as a server that answers each request when it is complete."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from transcripts import Outcome, frames_of

STREAM_WINDOW = 64 << 10
CONNECTION_WINDOW = 1 << 20


class Oracle:
    def __init__(self, streams):
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.connection.local_settings.update(
            {
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 65_535,
            }
        )
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
        self.connection.data_to_send()
        self.arriving = {}
        self.waiting = {}
        self.over = False

    def take(self, data):
        outcome = Outcome()
        if not self.over:
            try:
                for event in self.connection.receive_data(data):
                    self.handle(event, outcome)
            except h2.exceptions.ProtocolError:
                self.over = True
            if not self.over:
                self.send()
        for frame in frames_of(self.connection.data_to_send()):
            outcome.add(*frame)
        self.over |= outcome.over
        outcome.over = self.over
        return outcome

    def handle(self, event, outcome):
        match event:
            case h2.events.RequestReceived():
                fields = dict(event.headers)
                self.arriving[event.stream_id] = [fields[b":method"], fields[b":path"], 0]
            case h2.events.DataReceived():
                self.arriving[event.stream_id][2] += len(event.data)
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                method, path, body = self.arriving.pop(event.stream_id)
                outcome.requests[event.stream_id] = method, path, body
                self.connection.send_headers(event.stream_id, [(b":status", b"200")])
                size = path.rpartition(b"/")[2]
                self.waiting[event.stream_id] = int(size) if size.isdigit() and int(size) <= 100_000 else 0
            case h2.events.StreamReset():
                self.arriving.pop(event.stream_id, None)
                self.waiting.pop(event.stream_id, None)

    def send(self):
        """Sends what the windows allow."""
        for stream in list(self.waiting):
            while self.waiting[stream] > 0:
                window = self.connection.local_flow_control_window(stream)
                size = min(self.waiting[stream], window, self.connection.max_outbound_frame_size)
                if size <= 0:
                    break
                self.connection.send_data(stream, bytes(size))
                self.waiting[stream] -= size
            if self.waiting[stream] == 0:
                self.connection.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)
                del self.waiting[stream]
