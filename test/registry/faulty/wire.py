"""HTTP/1.1 as bytes: requests in, answers out, and the ways an answer can go wrong on its way."""
import dataclasses
import gzip
import http.client
import socket
import struct
import time
import urllib.parse

from oci import encode

MAX_LINE = 65536
ENDLESS = 256 << 20  # no client of ours reads that far

# What happens to an answer on its way; see Connection.send.
ACTIONS = ("close", "reset", "truncate", "hang", "endless", "longer", "gzip", "slow", "chunked")


@dataclasses.dataclass
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: dict
    body: bytes = b""
    listener: str = "registry"
    peer: str = ""
    tls: bool = False

    @property
    def plain_path(self):
        return self.path.partition("?")[0]

    @property
    def query(self):
        """First value of every parameter."""
        text = self.path.partition("?")[2]
        return dict(reversed(urllib.parse.parse_qsl(text, keep_blank_values=True)))

    def all_of(self, name):
        """Every value of a parameter."""
        text = self.path.partition("?")[2]
        return [value for key, value in urllib.parse.parse_qsl(text) if key == name]


@dataclasses.dataclass
class Reply:
    """An answer; headers are pairs, so that one may come twice."""

    status: int = 200
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    action: str = ""
    # For whoever observes the registry: what was said, beyond bytes.
    listing: tuple = ()   # (repository, names, first page, last page)
    manifest: tuple = ()  # (repository, reference)

    def add(self, name, value):
        self.headers.append((name, value))
        return self


def error(status, code, message="not found", headers=()):
    """An error in the form of the distribution specification."""
    body = encode({"errors": [{"code": code, "message": message}]})
    return Reply(status, [("Content-Type", "application/json"), *headers], body)


class Connection:
    """One accepted connection."""

    def __init__(self, connection, listener, peer, tls):
        self._socket = connection
        self._file = connection.makefile("rb")
        self._listener = listener
        self._peer = peer
        self._tls = tls
        self.open = True

    def read(self):
        """The next request; None when the client has gone."""
        line = self._file.readline(MAX_LINE)
        parts = line.split()
        if len(parts) != 3:
            return None
        headers = {}
        while True:
            field = self._file.readline(MAX_LINE)
            if not field or field in (b"\r\n", b"\n"):
                break
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self._file.read(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.open = False
        return Request(parts[0].decode("latin-1"), parts[1].decode("latin-1"), headers, body,
                       self._listener, self._peer, self._tls)

    def send(self, request, reply):
        """Sends the reply, or what its action makes of it."""
        action = reply.action
        if action == "hang":
            self._wait_for_end()
        if action == "reset":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if action in ("close", "reset", "hang"):
            self.open = False
            return
        headers, body = list(reply.headers), reply.body
        if action == "gzip":
            body = gzip.compress(body)
            headers.append(("Content-Encoding", "gzip"))
        if action in ("endless", "chunked"):
            headers.append(("Transfer-Encoding", "chunked"))
        elif reply.status != 304:
            headers.append(("Content-Length", str(len(body))))
        reason = http.client.responses.get(reply.status, "Unknown")
        head = f"HTTP/1.1 {reply.status} {reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        data = head.encode("latin-1") + b"\r\n"
        if request.method == "HEAD" or reply.status == 304:
            self._socket.sendall(data)
        elif action == "endless":
            self._socket.sendall(data)
            self._send_endless()
        elif action == "chunked":
            self._socket.sendall(data + self._chunks(body))
        elif action == "truncate":
            self._socket.sendall(data + body[:len(body) // 2])
            self.open = False
        elif action == "longer":
            self._socket.sendall(data + body + b"and more than was said")
            self.open = False
        elif action == "slow":
            self._socket.sendall(data)
            self._send_slowly(body)
        else:
            self._socket.sendall(data + body)

    def _wait_for_end(self):
        """Until the client gives up."""
        try:
            self._socket.settimeout(300)
            while self._socket.recv(4096):
                pass
        except OSError:
            pass

    def _send_endless(self):
        chunk = b" " * 65536
        frame = b"%x\r\n%s\r\n" % (len(chunk), chunk)
        self.open = False
        for _ in range(ENDLESS // len(chunk)):
            self._socket.sendall(frame)

    def _send_slowly(self, body):
        """A byte a second."""
        self.open = False
        for byte in body:
            self._socket.sendall(bytes([byte]))
            time.sleep(1)

    @staticmethod
    def _chunks(body):
        half = len(body) // 2
        parts = [part for part in (body[:half], body[half:]) if part]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    def close(self):
        try:
            self._file.close()
            self._socket.close()
        except OSError:
            pass
