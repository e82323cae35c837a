"""The registry: one profile at a time, and which module answers what."""
import os
import re
import threading

from faulty import profile
from faulty.auth import Authentication
from faulty.content import Content
from faulty.faults import Faults
from faulty.limits import Limits
from faulty.listing import Lists
from faulty.manifests import Manifests
from faulty.redirects import Redirects
from faulty.referrers import Referrers
from faulty.wire import Reply, encode, error

MANIFEST_PATH = re.compile("/v2/(.+)/manifests/([^/]+)")
BLOB_PATH = re.compile("/v2/(.+)/blobs/([^/]+)")
LIST_PATH = re.compile("/v2/(.+)/tags/list")
REFERRERS_PATH = re.compile("/v2/(.+)/referrers/([^/]+)")


class Behaviour:
    """What one profile makes of the registry; it begins anew with every profile."""

    def __init__(self, whole, origins):
        self.content = Content(whole["repositories"])
        self.referrers = Referrers(whole["referrers"], self.content, origins)
        self.auth = Authentication(whole["auth"], origins)
        self.lists = Lists(whole["lists"], self.content, origins)
        self.manifests = Manifests(whole["manifests"], self.content)
        self.redirects = Redirects(whole["redirects"], origins)
        self.limits = Limits(whole["limits"])
        self.faults = Faults(whole["faults"])

    def answer(self, request):
        """The registry's answer to a request."""
        fault = self.faults.of(request)
        if fault is not None:
            return self.faults.apply(fault, lambda: self._in_order(request))
        return self._in_order(request)

    def _in_order(self, request):
        reply = self.auth.token(request)
        if reply is not None:
            return self.limits.refuse(request) or reply
        if request.listener == "other":
            return self.redirects.target(request, self.content) or error(404, "NOT_FOUND")
        refusal = self.limits.refuse(request)
        if refusal is not None:
            return refusal
        return self.limits.mark(request, self._registry(request))

    def _registry(self, request):
        path = request.plain_path
        if path in ("/v2/", "/v2"):
            return self.auth.refuse(request, "ping", "") or Reply(
                200, [("Content-Type", "application/json")], b"{}")
        if path == "/v2/_catalog":
            return self.auth.refuse(request, "catalog", "") or self.lists.catalogue(request)
        for pattern, purpose, answer in (
                (LIST_PATH, "list", self._tags), (MANIFEST_PATH, "pull", self._manifest),
                (BLOB_PATH, "pull", self._blob), (REFERRERS_PATH, "pull", self._referrers)):
            found = pattern.fullmatch(path)
            if found:
                refusal = self.auth.refuse(request, purpose, found[1])
                return refusal or answer(request, *found.groups())
        return error(404, "NOT_FOUND")

    def _tags(self, request, name):
        if request.method != "GET":
            return error(405, "UNSUPPORTED")
        return self.lists.tags(name, request)

    def _manifest(self, request, name, reference):
        if self.content.find(name, reference) is not None:
            redirect = self.redirects.of("manifests", name, reference)
            if redirect is not None:
                return redirect
        return self.manifests.answer(name, reference, request)

    def _blob(self, _, name, digest):
        body = self.manifests.blob(name, digest)
        if body is None:
            return error(404, "BLOB_UNKNOWN")
        return self.redirects.of("blobs", name, digest) or Reply(
            200, [("Content-Type", "application/octet-stream")], body)

    def _referrers(self, request, name, subject):
        return self.referrers.answer(name, subject, request)


class Registry:
    """Serves the profile of a file, read anew whenever the file is another, or one that is set."""

    def __init__(self, origins, journal, path=None):
        # Without a path there is nothing to serve until set is called.
        self._origins = origins
        self._journal = journal
        self._path = path
        self._stamp = None
        self._lock = threading.Lock()
        self.behaviour = None
        self.observe = None   # called with every request and its reply
        self._load()

    def set(self, given):
        """Takes a profile, a dict, from the next request on."""
        behaviour = Behaviour(profile.complete(given), self._origins)
        with self._lock:
            self.behaviour = behaviour

    def _load(self):
        if self._path is None:
            return
        stamp = os.stat(self._path)
        if (stamp.st_mtime_ns, stamp.st_ino) == self._stamp:
            return
        self._stamp = (stamp.st_mtime_ns, stamp.st_ino)
        self.behaviour = Behaviour(profile.read(self._path), self._origins)

    def allowed_connections(self):
        """How many connections a listener serves side by side; None: any number."""
        return self.behaviour and self.behaviour.limits.connections

    def answer(self, request):
        """The answer to a request, which is on record when this returns."""
        with self._lock:
            self._load()
            behaviour = self.behaviour
            if request.listener == "other" and request.path == "/truth":
                # For tests only, so it is not on record.
                return Reply(200, [], encode(behaviour.content.tags))
            reply = behaviour.answer(request)
            self._journal.write(request, reply)
            if self.observe is not None:
                self.observe(request, reply)
        behaviour.limits.wait()
        return reply
