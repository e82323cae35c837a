"""Referrers: the API, what stands in for it, and the tags that were there before.

"fallback": what the tag sha256-HEX of a subject with referrers holds:
    good     an index of them            bare     without artifactType, an empty config
    bad      an index of things that are not there
    subject  the subject itself, as registries that take the tag for a digest do
    cycle    an index with the subject among its own referrers
"""
import re

from faulty.wire import Reply, encode, error
from oci import OCI_INDEX, OCI_MANIFEST


def fallback_tag(digest):
    """The tag of the referrers tag schema (distribution-spec)."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm[:32]}-{value[:64]}"


class Referrers:
    """The section "referrers" of a profile."""

    def __init__(self, switches, content, origins):
        self._switches = switches
        self._content = content
        self._origins = origins
        if switches["fallback"] != "none":
            for (repository, subject), descriptors in list(content.attached.items()):
                self._add_fallback(repository, subject, descriptors)

    def answer(self, repository, subject, request):
        """An answer to referrers/DIGEST."""
        kind = self._switches["api"]
        if kind == "redirect":
            return Reply(303, [("Location", self._origins["other"] + "/login")])
        if kind == "html":
            return Reply(200, [("Content-Type", "text/html")], b"<html>welcome</html>")
        if kind not in (200, "empty"):
            return Reply(kind, [("Content-Type", "text/plain")], b"404 page not found\n")
        if not re.fullmatch("sha256:[0-9a-f]{64}", subject):
            return error(400, "DIGEST_INVALID")
        found = [] if kind == "empty" else self._content.attached.get((repository, subject), [])
        if self._switches["endless"]:
            return self._endless(request)
        size = self._switches["page_size"]
        start = int(request.query.get("start", "0"))
        reply = Reply(200, [("Content-Type", OCI_INDEX)], self._index(found[start:start + size]))
        if start + size < len(found):
            reply.add("Link", f'<{request.plain_path}?start={start + size}>; rel="next"')
        return reply

    def _endless(self, request):
        number = int(request.query.get("page", "0"))
        reply = Reply(200, [("Content-Type", OCI_INDEX)], self._index([{
            "mediaType": OCI_MANIFEST, "digest": f"sha256:{number:064}", "size": 7,
            "artifactType": "application/vnd.test",
            "annotations": {"padding": "x" * self._switches["endless"]}}]))
        reply.add("Link", f'<{request.plain_path}?page={number + 1}>; rel="next"')
        return reply

    @staticmethod
    def _index(descriptors):
        return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors})

    def _add_fallback(self, repository, subject, descriptors):
        kind = self._switches["fallback"]
        tags = self._content.tags[repository]
        if kind == "subject":
            tags[fallback_tag(subject)] = subject
            return
        if kind == "bare":
            descriptors = [{key: value for key, value in descriptor.items()
                            if key != "artifactType"} for descriptor in descriptors]
        if kind == "bad":
            descriptors = [{**descriptor, "digest": "sha256:" + "f" * 64}
                           for descriptor in descriptors]
        if kind == "cycle":
            descriptors = [*descriptors, self._content.find(repository, subject).descriptor()]
        stored = self._content.store(repository, OCI_INDEX, self._index(descriptors))
        tags[fallback_tag(subject)] = stored.digest
