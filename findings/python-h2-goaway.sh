#!/usr/bin/env bash
# python-h2 4.4.1 takes a graceful GOAWAY for the end of the connection.
#
# RFC 9113, 6.8: a server that shuts down gracefully sends GOAWAY with the largest stream id and
# NO_ERROR, and goes on answering the streams that are open. python-h2 closes its state machine at
# that frame: the reply to an open stream, and even a PING, then raise ProtocolError. Clients on it
# (grpclib, betterproto, httpx with http2) lose every call that is open when GOAWAY comes.
#
# What tiny-cache does about it: a drain waits up to 100 ms for a moment without an open call.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check h2==4.4.1 hyperframe==6.1.0 hpack==4.2.0
cat > "$work/goaway.py" <<'PY'
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame, PingFrame

client = H2Connection(H2Configuration(client_side=True))
server = H2Connection(H2Configuration(client_side=False))
client.initiate_connection()
server.initiate_connection()
server.receive_data(client.data_to_send())
client.receive_data(server.data_to_send())
client.send_headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")], end_stream=True)
server.receive_data(client.data_to_send())

goaway = GoAwayFrame(0)
goaway.last_stream_id = 2**31 - 1
print("goaway:", *(type(event).__name__ for event in client.receive_data(goaway.serialize())))
server.send_headers(1, [(":status", "200")], end_stream=True)
ping = PingFrame(0)
ping.opaque_data = b"are you?"
for name, data in (("reply", server.data_to_send()), ("ping", ping.serialize())):
    try:
        print(f"{name}:", *(type(event).__name__ for event in client.receive_data(data)))
    except ProtocolError as error:
        print(f"{name}: ProtocolError: {error}")
PY
seen=$("$work/venv/bin/python" "$work/goaway.py")
echo "$seen"
# Seen with h2 4.4.1:
expected='goaway: ConnectionTerminated
reply: ProtocolError: Invalid input ConnectionInputs.RECV_HEADERS in state ConnectionState.CLOSED
ping: ProtocolError: Invalid input ConnectionInputs.RECV_PING in state ConnectionState.CLOSED'
[ "$seen" = "$expected" ] || { echo "python-h2-goaway: this has changed" >&2; exit 1; }
