#!/usr/bin/env python3
"""A registry that misbehaves on demand: for what a real one will not do when asked.

    fault_registry.py PROFILE JOURNAL [--port N]

PROFILE is a JSON file, read anew whenever it changes:

    {"repositories": {"team/app": {"1.0": {}, "1.1": {"manifest": "nul"}}},
     "page_size": 100,
     "faults": [{"method": "GET", "path": "/v2/team/app/manifests/.*", "status": 429,
                 "headers": {"Retry-After": "7"}, "body": "slow down", "times": 2}]}

A tag is a small image made from its name, or with "manifest" one of:
    nul          an annotation with an escaped NUL         utf8      one that is not UTF-8
    not_json     no JSON at all                            deep      nested 3,000 times
    both         an image and an index at once             schema1   Docker schema 1
    huge         more than 4 MiB                           endless_config   a config beyond 1 MiB
    wrong_digest bytes that do not hash to their digest    lost_config      a config that is not there
A fault answers instead of the registry when method (default: any) and path (a regular expression,
the whole path with its query) match: with status, headers and body, or with "action": "close" (cuts
the connection), "truncate" (half of the body), "hang" (no answer). "times" ends it after so many
answers, "after" lets so many requests pass first.

JOURNAL receives a JSON line a request: time, method, path, headers, status. Prints its port.
"""
import argparse
import hashlib
import json
import os
import re
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Images:
    """The content of a profile: tags, manifests and blobs, made when the profile is read."""

    def __init__(self, repositories):
        self.tags = {}
        self.manifests = {}
        self.blobs = {}
        for repository, tags in repositories.items():
            self.tags[repository] = {}
            for tag, options in tags.items():
                body, name = self.image(repository, tag, options)
                self.tags[repository][tag] = name
                self.manifests[repository, name] = body

    def image(self, repository, tag, options):
        kind = options.get("manifest", "")
        config = compact({
            "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": {"Labels": {"org.opencontainers.image.title": repository,
                                  "org.opencontainers.image.version": tag,
                                  "revision": options.get("revision", "1")}},
            "padding": "x" * (2 << 20 if kind == "endless_config" else 0),
            "rootfs": {"type": "layers", "diff_ids": []}})
        config_name = digest(config)
        if kind != "lost_config":
            self.blobs[repository, config_name] = config
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": {"mediaType": CONFIG, "digest": config_name, "size": 500},
                    "layers": [{"mediaType": LAYER, "digest": digest(tag.encode()), "size": 4711}],
                    "annotations": {"tag": tag, "kind": kind}}
        if kind == "both":
            manifest["manifests"] = []
        if kind == "huge":
            manifest["annotations"]["padding"] = "x" * (5 << 20)
        body = compact(manifest)
        if kind == "nul":
            body = body.replace(b'"kind":"nul"', b'"kind":"a\\u0000b"')
        elif kind == "utf8":
            body = body.replace(b'"kind":"utf8"', b'"kind":"\xff\xfe"')
        elif kind == "not_json":
            body = b"<html>" + tag.encode() + b"</html>"
        elif kind == "deep":
            body = b'{"a":' * 3000 + b"1" + b"}" * 3000
        elif kind == "schema1":
            body = compact({"schemaVersion": 1, "name": repository, "tag": tag, "fsLayers": []})
        name = digest(body)
        if kind == "wrong_digest":
            name = digest(body + b"not this")
        return body, name


class Registry:
    """The profile, and what has happened under it."""

    def __init__(self, profile, journal):
        self.profile_path = profile
        self.journal = open(journal, "a", buffering=1)
        self.lock = threading.Lock()
        self.stamp = None
        self.load()

    def load(self):
        stamp = os.stat(self.profile_path).st_mtime_ns
        if stamp == self.stamp:
            return
        with open(self.profile_path) as file:
            profile = json.load(file)
        self.stamp = stamp
        self.images = Images(profile.get("repositories", {}))
        self.page_size = profile.get("page_size", 1000)
        self.faults = [dict(fault, seen=0, given=0) for fault in profile.get("faults", [])]

    def fault(self, method, path):
        for fault in self.faults:
            if fault.get("method", method) != method or not re.fullmatch(fault["path"], path):
                continue
            fault["seen"] += 1
            if fault["seen"] <= fault.get("after", 0):
                continue
            if "times" in fault and fault["given"] >= fault["times"]:
                continue
            fault["given"] += 1
            return fault
        return None

    def answer(self, path):
        """Status, headers and body of a registry in order."""
        path, _, query = path.partition("?")
        if path == "/v2/":
            return 200, {}, b"{}"
        if path == "/v2/_catalog":
            return 200, {}, compact({"repositories": sorted(self.images.tags)})
        found = re.fullmatch(r"/v2/(.+)/tags/list", path)
        if found:
            return self.listing(found[1], path, query)
        found = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", path)
        if found:
            return self.manifest(found[1], found[2])
        found = re.fullmatch(r"/v2/(.+)/blobs/([^/]+)", path)
        if found and (found[1], found[2]) in self.images.blobs:
            return 200, {}, self.images.blobs[found[1], found[2]]
        return self.not_found("BLOB_UNKNOWN")

    def listing(self, repository, path, query):
        if repository not in self.images.tags:
            return self.not_found("NAME_UNKNOWN")
        names = sorted(self.images.tags[repository])
        last = re.search(r"last=([^&]*)", query)
        if last:
            names = [name for name in names if name > last[1]]
        headers = {}
        if len(names) > self.page_size:
            names = names[:self.page_size]
            headers["Link"] = f'<{path}?last={names[-1]}&n={self.page_size}>; rel="next"'
        return 200, headers, compact({"name": repository, "tags": names})

    def manifest(self, repository, reference):
        name = self.images.tags.get(repository, {}).get(reference, reference)
        body = self.images.manifests.get((repository, name))
        if body is None:
            return self.not_found("MANIFEST_UNKNOWN")
        return 200, {"Content-Type": MANIFEST, "Docker-Content-Digest": name}, body

    @staticmethod
    def not_found(code):
        return 404, {}, compact({"errors": [{"code": code, "message": "not found"}]})

    def write(self, entry):
        with self.lock:
            self.journal.write(json.dumps(entry) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def serve(self):
        registry = self.server.registry
        with registry.lock:
            registry.load()
            fault = registry.fault(self.command, self.path)
            status, headers, body = registry.answer(self.path)
        action = fault.get("action", "") if fault else ""
        if fault and not action:
            status = fault.get("status", status)
            headers = fault.get("headers", {})
            body = fault.get("body", "").encode()
        registry.write({"time": time.time(), "method": self.command, "path": self.path,
                        "headers": dict(self.headers), "status": action or status})
        if action == "hang":
            time.sleep(300)
        if action in ("close", "hang"):
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if action == "truncate":
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = serve


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what this is for


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("profile")
    arguments.add_argument("journal")
    arguments.add_argument("--port", type=int, default=0)
    options = arguments.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.registry = Registry(options.profile, options.journal)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
