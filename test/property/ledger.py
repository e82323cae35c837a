"""What the registry has told a client in one run: the proof that a removal needs."""
import json
import re
import threading
import urllib.parse

from oci import digest_of

LIST_PATH = re.compile("/v2/(.+)/tags/list")
MANIFEST_PATH = re.compile("/v2/(.+)/manifests/([^/]+)")
# Answers that do not arrive as they were said.
SILENT = ("close", "reset", "hang")
BROKEN = (*SILENT, "truncate", "endless", "gzip", "slow")
CURSORS = ("last", "next_page", "turn")


class Ledger:
    """Observes a registry: complete listings, and manifests that were said not to be there."""

    def __init__(self):
        self._lock = threading.Lock()
        self.begin()

    def begin(self):
        """Forgets all; a run begins."""
        with self._lock:
            self._walks = {}      # repository: names and queries of the walk under way
            self._linked = set()  # repositories whose walk has met a link
            # Path that manifests are redirected to: {(repository, reference)}. One path may be
            # that of many, which are asked for side by side.
            self._redirected = {}
            self.listings = {}    # repository: [names of a complete listing]
            self.not_found = {}   # repository: {reference}
            self.bodies = set()   # digests of whatever was served as a manifest

    def observe(self, request, reply):
        """Takes a request and its answer into account."""
        path = request.plain_path
        listed = LIST_PATH.fullmatch(path)
        asked = MANIFEST_PATH.fullmatch(path)
        with self._lock:
            if listed:
                self._observe_page(listed[1], request, reply)
            elif asked:
                self._observe_manifests({asked.groups()}, reply)
            elif path in self._redirected:
                self._observe_manifests(self._redirected[path], reply)

    def _observe_manifests(self, manifests, reply):
        if reply.status == 404 and reply.action not in SILENT:
            for repository, reference in manifests:
                self.not_found.setdefault(repository, set()).add(reference)
        if reply.status == 200 and reply.action not in BROKEN:
            self.bodies.add(digest_of(reply.body))
        for name, value in reply.headers:
            if name == "Location" and 300 <= reply.status < 400:
                path = urllib.parse.urlsplit(value).path
                self._redirected.setdefault(path, set()).update(manifests)

    def _observe_page(self, repository, request, reply):
        first = not any(request.query.get(name) for name in CURSORS)
        names = self._names(reply, first)
        if names is None:
            # Whatever is temporary is asked again; after any other refusal a walk begins anew.
            if 400 <= reply.status < 500 and reply.status not in (408, 429):
                self._walks.pop(repository, None)
            return
        if first and repository not in self._walks:
            self._walks[repository] = (set(), set())
            self._linked.discard(repository)
        if any(name == "Link" for name, _ in reply.headers):
            self._linked.add(repository)
        if repository not in self._walks:
            return
        walk, queries = self._walks[repository]
        before = len(walk)
        walk.update(names)
        queries.add(request.path.partition("?")[2])
        # Where a listing goes round, it has ended: no new name, or a page that was read before.
        if len(walk) > before and (
                self._leads_on(reply, queries) or self._is_full(repository, request, reply)):
            return
        del self._walks[repository]
        self.listings.setdefault(repository, []).append(sorted(walk))

    @staticmethod
    def _leads_on(reply, queries):
        """Whether a page has a link, and not to one of these queries."""
        links = [value for name, value in reply.headers if name == "Link"]
        targets = re.findall(r"<[^>]*\?([^>]*)>", ",".join(links))
        return bool(links) and not any(query in queries for query in targets)

    def _is_full(self, repository, request, reply):
        """Whether a page has as many entries as were asked for, of a registry that does not link."""
        entries = len(json.loads(reply.body)["tags"] or [])
        return repository not in self._linked and request.query.get("n") == str(entries)

    @staticmethod
    def _names(reply, first):
        """The names of a page that arrived whole; None for anything else."""
        if reply.action in BROKEN:
            return None
        if reply.status == 404 and first:
            return []   # no such repository
        if reply.status != 200:
            return None
        try:
            tags = json.loads(reply.body)["tags"]
        except (ValueError, KeyError, TypeError):
            return None
        return [name for name in tags or [] if isinstance(name, str)]

    def proof(self):
        """As JSON: {repository: {"listings": [[tag]], "not_found": [reference]}}."""
        with self._lock:
            names = set(self.listings) | set(self.not_found)
            return {name: {"listings": self.listings.get(name, []),
                           "not_found": sorted(self.not_found.get(name, ()))} for name in names}
