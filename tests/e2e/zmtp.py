"""ZMTP 3.0 spoken by hand (rfc.zeromq.org/spec/23), to send what no ZeroMQ library would."""
import contextlib
import socket
import struct

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(body, flags=0):
    if len(body) < 256:
        return struct.pack(">BB", flags, len(body)) + body
    return announce(len(body), flags) + body


def announce(size, flags=0):
    """The head of a frame of that size, whose body need not come."""
    return struct.pack(">BQ", flags | LONG, size)


def ready(routing_id=b""):
    def entry(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    body = b"\x05READY" + entry(b"Socket-Type", b"DEALER") + entry(b"Identity", routing_id)
    return frame(body, COMMAND)


class Connection:
    """A TCP connection to an endpoint of the form tcp://127.0.0.1:PORT."""

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)

    def shake_hands(self, routing_id=b""):
        self.send(GREETING + ready(routing_id))
        greeting = b""
        while len(greeting) < 64:
            data = self.socket.recv(64 - len(greeting))
            if not data:
                raise ConnectionError("no greeting")
            greeting += data
        return self

    def send(self, data):
        self.socket.sendall(data)

    def is_closed(self):
        """Reads what has come; True when the other side has ended the connection."""
        with contextlib.suppress(BlockingIOError):
            self.socket.setblocking(False)
            try:
                while self.socket.recv(65536):
                    pass
                return True
            except ConnectionError:
                return True
            finally:
                self.socket.setblocking(True)
        return False

    def close(self):
        self.socket.close()
