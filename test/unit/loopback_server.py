"""A small HTTP server for the unit tests: prints its port, with --tls (or --old-tls) its certificate, and with
--mtls, when it wants one from its clients, also the key of that certificate, which they may show. It
is a proxy for http as well: an absolute URL is answered here. Ends when its standard input does."""
import gzip
import hashlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time



def registry():
    """A repository app/web with an image at two tags: {path: (content type, body)}."""
    def digest(body):
        return "sha256:" + hashlib.sha256(body).hexdigest()
    config_type = "application/vnd.oci.image.config.v1+json"
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    config = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": manifest_type, "layers": [],
        "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)}}).encode()
    answers = {
        "/v2/": b"{}",
        "/v2/_catalog": json.dumps({"repositories": ["app/web"]}).encode(),
        "/v2/app/web/tags/list": json.dumps({"name": "app/web", "tags": ["1.0", "1.1"]}).encode()}
    paths = {path: ("application/json", body) for path, body in answers.items()}
    paths.update({f"/v2/app/web/manifests/{name}": (manifest_type, manifest)
                  for name in ("1.0", "1.1", digest(manifest))})
    paths[f"/v2/app/web/blobs/{digest(config)}"] = ("application/octet-stream", config)
    return paths


REGISTRY = registry()
state = {"connections": 0, "now": 0, "peak": 0}
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        with lock:
            state["connections"] += 1
        super().setup()

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_request(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = self.path
        if path.startswith("http://"):
            path = path[7:].partition("/")[2]
        name, _, argument = path.lstrip("/").partition("/")
        if name == "hello":
            self.answer(b"hello", headers=[("X-Two", "one"), ("X-TWO", " two "), ("Etag", '"e"')])
        elif name == "echo":
            text = f"{self.command} {self.path}\n{self.headers}".encode() + body
            self.answer(text)
        elif name == "status":
            self.answer(b"problem", int(argument))
        elif name == "redirect":
            self.answer(b"", 302, [("Location", "/hello")])
        elif name == "gzip":
            self.answer(gzip.compress(b"x" * int(argument)), headers=[("Content-Encoding", "gzip")])
        elif name == "drip":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif self.path.partition("?")[0] in REGISTRY:
            content_type, body = REGISTRY[self.path.partition("?")[0]]
            if "last=" in self.path:
                body = b'{"repositories": [], "tags": []}'
            self.answer(body, headers=[("Content-Type", content_type)])
        elif name == "v2":  # an object of exactly so many bytes, whatever is asked of so named a repository
            self.answer(b"{" + b" " * (int(argument.partition("/")[0]) - 2) + b"}")
        elif name == "bytes":
            self.answer(b"x" * int(argument))
        elif name == "error-bytes":
            self.answer(b"e" * int(argument), 404)
        elif name == "fields":
            self.answer(b"", headers=[("X-%d" % i, "v") for i in range(int(argument))])
        elif name == "headers":
            self.answer(b"", headers=[("X-Long-%d" % i, "v" * 1000) for i in range(int(argument))])
        elif name == "endless":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        elif name == "hang":
            time.sleep(30)
        elif name == "stall":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"first")
            time.sleep(30)
        elif name == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"first")
            self.close_connection = True
        elif name == "busy":
            with lock:
                state["now"] += 1
                state["peak"] = max(state["peak"], state["now"])
            time.sleep(float(argument))
            with lock:
                state["now"] -= 1
            self.answer(b"done")
        elif name == "crowd":  # refuses more than so many at a time
            with lock:
                state["now"] += 1
                crowded = state["now"] > int(argument)
            time.sleep(0.005)
            with lock:
                state["now"] -= 1
            self.answer(b"", 429 if crowded else 200)
        elif name == "state":
            self.answer(str(state[argument]).encode())
        else:
            self.answer(b"not here", 404)

    do_GET = do_HEAD = do_POST = handle_request

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def make_certificate(folder):
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL)
    return key, certificate


server = Server(("127.0.0.1", 0), Handler)
certificate_text = ""
key_text = ""
if len(sys.argv) > 1:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        certificate_text = open(certificate).read()
        if "--old-tls" in sys.argv:
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        if "--mtls" in sys.argv:
            context.load_verify_locations(certificate)
            context.verify_mode = ssl.CERT_REQUIRED
            key_text = open(key).read()
    # The handshake belongs to the connection's thread, so that a client that refuses it is alone.
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1])
print(certificate_text + key_text, flush=True)
os.close(1)
sys.stdin.read()
