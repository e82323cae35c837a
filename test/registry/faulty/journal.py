"""What the registry was asked: a line of JSON a request, written before the answer is sent."""
import json
import os
import time


class Journal:
    """Appends to a file; None keeps nothing."""

    def __init__(self, path):
        self._file = None if path is None else os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, request, reply):
        if self._file is None:
            return
        line = {"time": time.time(), "listener": request.listener, "peer": request.peer,
                "tls": request.tls, "method": request.method, "path": request.path,
                "headers": request.headers, "status": reply.action or reply.status}
        if request.body:
            line["body"] = request.body.decode("latin-1")
        # One write of a whole line: requests are served at the same time.
        os.write(self._file, (json.dumps(line) + "\n").encode())
