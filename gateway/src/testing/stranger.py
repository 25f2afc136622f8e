"""A client that shares no code with the gateway: WebSocket over HTTP/2 (RFC 8441) by h2 and wsproto.

Connects with a token, subscribes, publishes, waits for what it published, pings, and closes; says what it saw as one
line of JSON. Fails by an exception, and after 30 seconds.
"""

import argparse
import json
import signal
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import wsproto.connection
import wsproto.events


class Stream:
    """A WebSocket on one HTTP/2 stream, on a connection of its own."""

    def __init__(self, host, port, name, ca_file, path):
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(
            socket.create_connection((host, port)), server_hostname=name
        )
        self.alpn = self.socket.selected_alpn_protocol()
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.web = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT)
        self.pending = []
        self.closed = False
        self.http.initiate_connection()
        self.flush()
        # RFC 8441, 3: a client asks only after the server has said that it may.
        self.wait(h2.events.RemoteSettingsChanged)
        self.extended = bool(self.http.remote_settings.enable_connect_protocol)
        self.id = self.http.get_next_available_stream_id()
        head = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "https",
            ":authority": f"{name}:{port}",
            ":path": path,
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "centrifuge-json",
        }
        self.http.send_headers(self.id, list(head.items()))
        self.flush()
        answer = self.wait(h2.events.ResponseReceived)
        self.headers = {name.decode(): value.decode() for name, value in answer.headers}

    def flush(self):
        data = self.http.data_to_send()
        if data:
            self.socket.sendall(data)

    def events(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        events = self.http.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events

    def wait(self, kind):
        while True:
            while self.pending:
                event = self.pending.pop(0)
                if isinstance(event, kind):
                    return event
                if isinstance(event, h2.events.StreamReset):
                    raise EOFError(f"stream reset: {event.error_code}")
            self.pending.extend(self.events())

    def send(self, event):
        self.http.send_data(self.id, self.web.send(event))
        self.flush()

    def command(self, **command):
        self.send(wsproto.events.TextMessage(json.dumps(command)))

    def frames(self):
        """WebSocket events, as they come."""
        while True:
            event = self.wait((h2.events.DataReceived, h2.events.StreamEnded))
            if isinstance(event, h2.events.StreamEnded):
                self.closed = True
                return
            # The end of the stream may come in an empty frame of its own.
            if event.data:
                self.web.receive_data(event.data)
                yield from self.web.events()


def talk(stream, token, channel):
    stream.command(id=1, connect={"token": token})
    stream.command(id=2, subscribe={"channel": channel})
    stream.send(wsproto.events.Ping(b"are you there?"))
    seen = {"replies": {}, "publication": None, "pong": None, "close": None}
    text = ""
    for event in stream.frames():
        if isinstance(event, wsproto.events.Pong):
            seen["pong"] = event.payload.decode()
        elif isinstance(event, wsproto.events.CloseConnection):
            seen["close"] = event.code
            stream.http.end_stream(stream.id)
            stream.flush()
        elif isinstance(event, wsproto.events.TextMessage):
            text += event.data
            if not event.message_finished:
                continue
            lines, text = text.split("\n"), ""
            for line in lines:
                take(stream, json.loads(line), seen, channel)
    return seen


def take(stream, message, seen, channel):
    if message == {}:
        stream.command()
    elif "id" in message:
        seen["replies"][message["id"]] = sorted(key for key in message if key != "id")
        error = message.get("error", {})
        if message["id"] == 2 or error.get("temporary"):
            stream.command(id=message["id"] + 1, publish={"channel": channel, "data": {"from": "a stranger"}})
    elif "pub" in message.get("push", {}):
        seen["publication"] = message["push"]["pub"]["data"]
    open_still = stream.web.state is wsproto.connection.ConnectionState.OPEN
    if open_still and seen["publication"] and any("publish" in kinds for kinds in seen["replies"].values()):
        stream.send(wsproto.events.CloseConnection(code=1000))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="localhost", help="name in the certificate")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--channel", required=True)
    options = parser.parse_args()
    signal.alarm(30)
    stream = Stream(options.host, options.port, options.name, options.ca, options.path)
    seen = talk(stream, options.token, options.channel)
    print(
        json.dumps(
            {
                "alpn": stream.alpn,
                "extended": stream.extended,
                "status": stream.headers[":status"],
                "subprotocol": stream.headers.get("sec-websocket-protocol"),
                "ended": stream.closed,
                **seen,
            }
        )
    )


main()
