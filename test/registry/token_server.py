#!/usr/bin/env python3
"""A token server for a registry with Bearer authentication (distribution's token specification).

    token_server.py --key KEY --certificate PEM --issuer NAME --service NAME --journal FILE
                    [--user NAME:PASSWORD] [--anonymous REPOSITORY]... [--lifetime SECONDS]

Prints its port on loopback and serves until it is killed. The user gets every action it asks for;
without credentials only pull on the repositories named anonymous; wrong credentials get 401. Each
request is a line of JSON in the journal: method, path, user (null when anonymous), service, scopes,
status. Needs the openssl command.
"""

import argparse
import base64
import http.server
import json
import os
import re
import subprocess
import time
import urllib.parse
import uuid


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """Makes JSON Web Tokens, RS256, with the certificate in x5c for registries to verify by."""

    def __init__(self, key, certificate, issuer, lifetime):
        self._key = key
        self._issuer = issuer
        self._lifetime = lifetime
        with open(certificate, encoding="ascii") as file:
            self._chain = ["".join(body.split()) for body in re.findall(
                "-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", file.read(), re.S)]

    def token(self, user, service, access):
        """The answer to a request; access: [{type, name, actions}]."""
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": self._chain}
        claims = {
            "iss": self._issuer, "sub": user or "", "aud": service, "exp": now + self._lifetime,
            "nbf": now - 10, "iat": now, "jti": str(uuid.uuid4()), "access": access,
        }
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key, "-binary"],
            input=signed.encode(), stdout=subprocess.PIPE, check=True).stdout
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        return {"token": f"{signed}.{base64url(signature)}", "expires_in": self._lifetime,
                "issued_at": issued}


def granted(scopes, user, anonymous):
    """The part of the scopes (`repository:team/app:pull,push`) that is allowed."""
    access = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        actions = [action for action in actions.split(",") if action]
        if user is None:
            public = kind == "repository" and name in anonymous
            actions = [action for action in actions if public and action == "pull"]
        if name and actions:
            access.append({"type": kind, "name": name, "actions": actions})
    return access


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(urllib.parse.urlsplit(self.path).query)

    def do_POST(self):
        # The OAuth2 form of a request: left to its own specification, as most servers do, so that
        # clients fall back to GET.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._reply(405, {"errors": [{"code": "UNSUPPORTED"}]}, None, "", [])

    def _answer(self, query):
        parameters = urllib.parse.parse_qs(query)
        service = parameters.get("service", [""])[0]
        scopes = parameters.get("scope", [])
        header = self.headers.get("Authorization")
        user = self._user(header)
        if header and user is None:
            self._reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]},
                        None, service, scopes)
        elif service != self.server.service:
            self._reply(400, {"errors": [{"code": "DENIED", "message": "unknown service"}]},
                        user, service, scopes)
        else:
            access = granted(scopes, user, self.server.anonymous)
            self._reply(200, self.server.signer.token(user, service, access), user, service, scopes)

    def _user(self, header):
        """Name of the user whose Basic credentials the header holds, else None."""
        expected = self.server.credentials
        given = header.removeprefix("Basic ") if header else None
        if expected is None or given != base64.b64encode(expected.encode()).decode():
            return None
        return expected.partition(":")[0]

    def _reply(self, status, value, user, service, scopes):
        line = {"method": self.command, "path": self.path, "user": user, "service": service,
                "scopes": scopes, "status": status}
        # One write of a whole line: handlers run at the same time.
        os.write(self.server.journal, (json.dumps(line) + "\n").encode())
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The journal says more than the usual access log."""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for required in ("key", "certificate", "issuer", "service", "journal"):
        parser.add_argument("--" + required, required=True)
    parser.add_argument("--user", metavar="NAME:PASSWORD")
    parser.add_argument("--anonymous", action="append", default=[], metavar="REPOSITORY")
    parser.add_argument("--lifetime", type=int, default=300, metavar="SECONDS")
    options = parser.parse_args()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.signer = Signer(options.key, options.certificate, options.issuer, options.lifetime)
    server.service = options.service
    server.credentials = options.user
    server.anonymous = frozenset(options.anonymous)
    server.journal = os.open(options.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
