"""Redirects of blobs and manifests, and the places they lead to.

{"status": 307, "to": TEMPLATE, "hops": N}: the template may hold {other} (the other listener),
{base}, {digest} and {path}; with hops the other listener redirects so many times more, -1 for ever.
The other listener serves /store/NAME/KIND/DIGEST as an object store does: it refuses a request that
brings an Authorization beside its signed URL.
"""
import re

from faulty.wire import Reply, error

DEFAULT = "{other}/store/{path}?X-Amz-Signature=5ecret-signature"


class Redirects:
    """The section "redirects" of a profile."""

    def __init__(self, switches, origins):
        self._switches = switches
        self._origins = origins

    def of(self, kind, name, reference):
        """The redirect of a blob or manifest that exists, or None."""
        rule = self._switches[kind]
        if not rule:
            return None
        path = f"{name}/{kind}/{reference}"
        hops = rule.get("hops", 0)
        template = rule.get("to", DEFAULT)
        if hops:
            template = "{other}/hop/" + f"{hops}/" + path
        location = template.format(path=path, digest=reference, **self._origins)
        return Reply(rule.get("status", 307), [("Location", location)])

    def target(self, request, content):
        """What the other listener answers, or None when the request is not for a store."""
        hop = re.fullmatch(r"/hop/(-?\d+)/(.+)", request.plain_path)
        if hop:
            left, path = int(hop[1]) - 1, hop[2]
            onward = "/hop/{left}/{path}" if left else "/store/{path}?X-Amz-Signature=5ecret"
            if left < 0:
                onward = "/hop/-1/{path}"
            return Reply(307, [("Location", onward.format(left=left, path=path))])
        store = re.fullmatch(r"/store/(.+)/(blobs|manifests)/([^/]+)", request.plain_path)
        if not store:
            return None
        if "authorization" in request.headers:
            return error(400, "INVALID", "Only one auth mechanism allowed")
        if store[2] == "blobs":
            body = content.blobs.get((store[1], store[3]))
            return error(404, "BLOB_UNKNOWN") if body is None else Reply(
                200, [("Content-Type", "application/octet-stream")], body)
        found = content.find(store[1], store[3])
        if found is None:
            return error(404, "MANIFEST_UNKNOWN")
        return Reply(200, [("Content-Type", found.media_type)], found.body)
