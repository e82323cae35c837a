#!/usr/bin/env python3
"""The object store that a registry redirects blobs to: serves the files of a registry's storage.

    blob_store.py JOURNAL FOLDER

Prints its port on loopback. Each request is a line of JSON in the journal: method, path, headers (names in
lower case), status. A request with an Authorization gets 400, as from Amazon S3 beside a signed URL.
"""
import http.server
import json
import os
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    def do_HEAD(self):
        self._answer()

    def _answer(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urllib.parse.urlsplit(self.path).path
        status, body = 404, b"no such object\n"
        if "authorization" in headers:
            status, body = 400, b"Only one auth mechanism allowed\n"
        elif ".." not in path:
            try:
                with open(self.server.folder + path, "rb") as file:
                    status, body = 200, file.read()
            except OSError:
                pass
        line = {"method": self.command, "path": self.path, "headers": headers, "status": status}
        os.write(self.server.journal, (json.dumps(line) + "\n").encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        """The journal says more than the usual access log."""


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.folder = sys.argv[2]
    server.journal = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
