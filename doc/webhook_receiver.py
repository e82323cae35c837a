#!/usr/bin/env python3
"""Passes on what registries send to their webhooks to image_library.handle_webhook: see webhooks.md.

A registry posts to http[s]://HOST:PORT/REGISTRY/FORMAT, with the names that handle_webhook takes. The secret comes
  - in the header Authorization, alone or after "Bearer ";
  - as the key of a signature in X-Hub-Signature-256 (GitHub);
  - with --token-in-url, in the URL as ?token=..., for registries that can send neither.
The database is that of psql: PGHOST, PGDATABASE, PGUSER and others, or PGSERVICE. Log in as a member of
image_library_webhook, which may do nothing else. Python's standard library and psql are all that this needs.

An example: it speaks http. Let a proxy that has a certificate stand in front of it if registries are on other machines.
"""
import argparse
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.parse

MOST_BYTES = 1 << 20
MOST_CONNECTIONS = 64
# Of the payload: another request would be refused again.
REFUSED = re.compile(r"22...|42704|54000")


class Database:
    """One psql that stays connected; it is started again when its connection is lost."""

    def __init__(self):
        self._lock = threading.Lock()
        self._psql = None

    def call(self, registry, format_name, payload):
        """Returns (SQLSTATE, text): rows as JSON, or the message of the error."""
        texts = [registry, format_name, json.dumps(payload)]
        # JSON of ASCII only, so that no byte of it depends on an encoding; quotes are doubled.
        literals = ["'" + text.replace("'", "''") + "'" for text in texts]
        statement = ("SELECT coalesce(json_agg(h), '[]') FROM image_library.handle_webhook({}, {}, {}::jsonb) h;\n"
                     "\\echo end :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo end\n").format(*literals)
        with self._lock:
            for attempt in (1, 2):
                answer = self._try(statement)
                if answer is not None or attempt == 2:
                    return answer or ("08006", "no connection to the database")

    def _try(self, statement):
        if self._psql is None or self._psql.poll() is not None:
            self._psql = subprocess.Popen(
                ["psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=0"], text=True, encoding="ascii",
                errors="replace", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=dict(os.environ, PGAPPNAME="webhook_receiver", PGCLIENTENCODING="SQL_ASCII",
                         PGOPTIONS="-c standard_conforming_strings=on -c client_min_messages=error -c statement_timeout=10s"))
        try:
            self._psql.stdin.write(statement)
            self._psql.stdin.flush()
            rows = []
            for line in self._psql.stdout:
                found = re.match(r"end (\w{5}) ?(.*)", line)
                if found:
                    message = [found.group(2)]
                    for rest in self._psql.stdout:
                        if rest == "end\n":
                            break
                        message.append(rest.rstrip("\n"))
                    state = found.group(1)
                    return state, "".join(rows) if state == "00000" else "\n".join(message)
                rows.append(line)
        except OSError:
            pass
        self._psql.kill()
        self._psql.wait()
        self._psql = None
        return None

    def close(self):
        if self._psql is not None:
            self._psql.kill()
            self._psql.wait()


def is_authentic(secret, headers, query, body, token_in_url):
    """Compared in constant time, so that the time of an answer tells nothing of the secret."""
    expected = secret.encode()
    signature = headers.get("X-Hub-Signature-256")
    if signature is not None:
        made = "sha256=" + hmac.new(expected, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(made.encode(), signature.encode("utf-8", "replace"))
    given = headers.get("Authorization", "")
    if given.startswith("Bearer "):
        given = given[len("Bearer "):]
    if not given and token_in_url:
        given = query.get("token", [""])[0]
    return hmac.compare_digest(expected, given.encode("utf-8", "replace"))


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds, for a client that sends nothing
    disable_nagle_algorithm = True

    def handle_one_request(self):
        """A client that sends a byte now and then must not keep its place."""
        timer = threading.Timer(self.server.request_timeout, self.give_up)
        timer.daemon = True
        timer.start()
        try:
            super().handle_one_request()
        finally:
            timer.cancel()

    def give_up(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self.answer(411, "Content-Length is missing")
        if "Transfer-Encoding" in self.headers:
            return self.answer(411, "Transfer-Encoding is not supported")
        if not 0 <= length <= MOST_BYTES:
            return self.answer(413, "at most {} bytes are read".format(MOST_BYTES))
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if not is_authentic(self.server.secret, self.headers, query, body, self.server.token_in_url):
            return self.answer(401, "the secret is wrong")
        names = re.fullmatch(r"/([a-z0-9][a-z0-9._-]{0,62})/([a-z]+)", url.path)
        if names is None:
            return self.answer(404, "post to /REGISTRY/FORMAT")
        # GitHub asks in this way whether anybody is there.
        if self.headers.get("X-GitHub-Event") == "ping":
            return self.answer(202, "[]")
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return self.answer(400, "the body is not JSON")
        state, text = self.server.database.call(names.group(1), names.group(2), payload)
        if state == "00000":
            return self.answer(202, text)
        self.log_error("%s %s: %s", url.path, state, text)
        return self.answer(400, text) if REFUSED.fullmatch(state) else self.answer(503, "try again later")

    def answer(self, status, text):
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 202 else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # What was not read of the body would be taken for another request.
        if status in (411, 413):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """Only errors are logged; a URL may have the token."""

    def log_message(self, format, *args):
        text = re.sub(r"token=\S*", "token=...", format % args)
        sys.stderr.write("{}: {}\n".format(self.client_address[0], text.encode("ascii", "backslashreplace").decode()))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, secret, token_in_url, request_timeout):
        self.secret = secret
        self.token_in_url = token_in_url
        self.request_timeout = request_timeout
        self.database = Database()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, Receiver)

    def handle_error(self, request, client_address):
        sys.stderr.write("{}: {!r}\n".format(client_address[0], sys.exc_info()[1]))

    def process_request(self, request, client_address):
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8085)
    parser.add_argument("--secret-file", required=True, help="file with the secret, at least 16 characters")
    parser.add_argument("--token-in-url", action="store_true", help="accept the secret in the URL, where logs may have it")
    parser.add_argument("--request-timeout", type=float, default=60, metavar="SECONDS",
                        help="for a whole request (default: 60)")
    options = parser.parse_args()
    with open(options.secret_file, encoding="utf-8") as file:
        secret = file.read().strip()
    if len(secret) < 16:
        parser.error("the secret is too short: it must have at least 16 characters")
    server = Server((options.host, options.port), secret, options.token_in_url, options.request_timeout)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.database.close()


if __name__ == "__main__":
    main()
