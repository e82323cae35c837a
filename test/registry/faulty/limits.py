"""Limits on requests: refusals with Retry-After, and Docker Hub's rate headers.

"requests": [allowed, status, Retry-After, times]: after so many requests as many are refused as
times says (null: all). Retry-After is text as it is, null for none, or {"date": seconds from now}.
"rate": {"limit": N, "window": S}: GETs of manifests count, HEADs do not; then 429.
"""
import email.utils
import re
import time

from faulty.wire import error


class Limits:
    """The section "limits" of a profile, and what was used of it."""

    def __init__(self, switches):
        self._requests = switches["requests"]
        self._rate = switches["rate"]
        self._latency = switches["latency"]
        self.connections = switches["connections"]
        self._seen = 0
        self._refused = 0
        self._pulls = 0

    def wait(self):
        if self._latency:
            time.sleep(self._latency)

    def refuse(self, request):
        """The refusal of a request over the limit, or None."""
        self._seen += 1
        if self._requests:
            allowed, status, retry_after, times = self._requests
            if self._seen > allowed and (times is None or self._refused < times):
                self._refused += 1
                return self._refusal(status, retry_after)
        if self._rate and self._is_pull(request):
            self._pulls += 1
            if self._pulls > self._rate["limit"]:
                return self._add_rate(self._refusal(429, None))
        return None

    def mark(self, request, reply):
        """Adds the rate headers to the answers that have them."""
        if self._rate and re.search("/manifests/[^/]+$", request.plain_path):
            self._add_rate(reply)
        return reply

    @staticmethod
    def _is_pull(request):
        return request.method == "GET" and re.search("/manifests/[^/]+$", request.plain_path)

    def _add_rate(self, reply):
        limit, window = self._rate["limit"], self._rate["window"]
        left = max(0, limit - self._pulls)
        reply.add("ratelimit-limit", f"{limit};w={window}")
        reply.add("ratelimit-remaining", f"{left};w={window}")
        return reply.add("docker-ratelimit-source", "192.0.2.1")

    @staticmethod
    def _refusal(status, retry_after):
        reply = error(status, "TOOMANYREQUESTS", "too many requests")
        if isinstance(retry_after, dict):
            retry_after = email.utils.formatdate(time.time() + retry_after["date"], usegmt=True)
        if retry_after is not None:
            reply.add("Retry-After", retry_after)
        return reply
