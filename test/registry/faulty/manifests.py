"""Manifests and blobs: which form a client is given, what the headers say, HEAD."""
import json

from faulty.content import SCHEMA1
from faulty.wire import Reply, encode, error
from oci import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, digest_of

WRONG = "sha256:" + "0" * 64


def accepted(request):
    """The media types of the Accept header."""
    return [part.partition(";")[0].strip()
            for part in request.headers.get("accept", "").split(",") if part.strip()]


class Manifests:
    """The section "manifests" of a profile."""

    def __init__(self, switches, content):
        self._switches = switches
        self._content = content
        self._refused_heads = 0

    def answer(self, repository, reference, request):
        """An answer to GET or HEAD manifests/REFERENCE."""
        refusal = self._refuse_head(request)
        if refusal is not None:
            refusal.manifest = (repository, reference)
            return refusal
        found = self._content.find(repository, reference)
        if self._switches["mixed_up"] == "manifests" and reference.startswith("sha256:"):
            found = self._content.another(self._content.manifests, repository, reference)
        if found is None:
            reply = self._not_found()
        else:
            reply = self._negotiated(found, reference, request)
        if found is not None and not reference.startswith("sha256:"):
            self._content.asked(repository, reference)
        reply.manifest = (repository, reference)
        return reply

    def blob(self, repository, digest):
        """The bytes of a blob, or None."""
        if self._switches["mixed_up"] == "blobs":
            return self._content.another(self._content.blobs, repository, digest)
        return self._content.blobs.get((repository, digest))

    def _refuse_head(self, request):
        status, times = self._switches["head"], self._switches["head_times"]
        if request.method != "HEAD" or status == 200:
            return None
        if times is not None and self._refused_heads >= times:
            return None
        self._refused_heads += 1
        return Reply(200, action="hang") if status == "hang" else Reply(status)

    def _not_found(self):
        form = self._switches["not_found"]
        if "body" in form:
            return Reply(form["status"], [("Content-Type", form.get("type", "text/plain"))],
                         form["body"].encode())
        return error(form["status"], form["code"])

    def _negotiated(self, found, reference, request):
        types = accepted(request)
        if found.media_type in types or self._switches["accept"] == "ignore":
            return self._serve(found.media_type, found.digest, found.body, reference, request)
        if self._switches["accept"] == "strict":
            return error(406, "UNSUPPORTED", "not acceptable")
        if found.media_type in (OCI_INDEX, OCI_MANIFEST):
            return error(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not "
                         "support OCI manifests")
        if found.media_type == DOCKER_LIST:
            child = json.loads(found.body)["manifests"][0]["digest"]
            return self._serve(found.media_type, child, found.body, reference, request)
        body = encode({"schemaVersion": 1, "fsLayers": [], "signatures": []})
        return self._serve(SCHEMA1, digest_of(body), body, reference, request)

    def _serve(self, media_type, digest, body, reference, request):
        switches = self._switches
        etag = {"none": None, "digest": f'"{digest}"', "weak": f'W/"{digest}"',
                "unquoted": digest, "opaque": f'"{digest[7:19]}"'}[switches["etag"]]
        wanted = request.headers.get("if-none-match")
        if switches["not_modified"] and etag and wanted in (etag, etag.strip('"')):
            return Reply(304)
        said = {"yes": media_type, "parameters": media_type + "; charset=utf-8", "none": None,
                "json": "application/json", "wrong": "text/html"}[switches["content_type"]]
        header = {"yes": digest, "none": None, "wrong": WRONG}[switches["digest_header"]]
        named = (("Content-Type", said), ("Docker-Content-Digest", header), ("ETag", etag))
        return Reply(200, [(name, value) for name, value in named if value], body)
