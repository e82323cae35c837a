"""Random registries: a profile for every seed and step, the same whenever it is asked for.

A registry keeps its ways (authentication, page sizes, forms of links and headers) for life; its
content changes from step to step, and each step but the last has troubles of its own.
"""
import random

from faulty.content import UNREADABLE

GOOD_KINDS = ("docker", "index", "docker_list", "attested", "nested", "sparse", "inline", "no_type",
              "sha512", "helm")
BAD_KINDS = tuple(kind for kind in UNREADABLE if kind not in ("huge", "endless_config"))
LARGE_KINDS = ("huge", "endless_config")
CHALLENGES = (
    'Bearer realm="{realm}",service="{service}",scope="{scope}"',
    'Negotiate, Bearer realm="{realm}", service="{service}", scope="{scope}", Basic realm="x"',
    'bearer REALM="{realm}",Service={service},scope="{scope}",error="invalid_token"',
    'Basic realm="a, \\"b\\""; charset=utf-8, BEARER realm="{realm}",service="{service}",scope="{scope}"',
)
PATHS = ("/v2/", "/v2/.*", ".*/tags/list.*", ".*/manifests/.*", ".*/manifests/sha256:.*",
         ".*/blobs/.*", ".*/referrers/.*", "/token.*", "/v2/_catalog.*", "/(hop|store)/.*")
STATUSES = (400, 401, 403, 404, 404, 406, 408, 410, 418, 429, 500, 501, 502, 503, 504, 522, 204, 206)
RETRY_AFTER = (None, "0", "1", "120", "1000000000", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT",
               {"date": 60})
LOCATIONS = ("{base}/v2/", "{other}/login", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd",
             "ftp://127.0.0.1/x", "http://user:pw@127.0.0.1:1/x", "//127.0.0.1:1/x", "", "::", "/v2/loop")
BODIES = ("", "<html>login</html>", "null", "[]", "{}", '{"tags":null}', '{"name":"x","tags":[]}',
          '{"tags":{"a":1}}', '{"tags":["1.0"', '{"errors":"no"}', '{"token":42}', '{"manifests":[null]}',
          '{"schemaVersion":2,"config":{"digest":7}}', "\x00", "[" * 500)


def chance(rng, share):
    return rng.random() < share


class World:
    """The registry of one seed."""

    def __init__(self, seed, origins):
        self._seed = seed
        self._origins = origins
        rng = random.Random(f"{seed} ways")
        self.steps = rng.randint(1, 3)   # with troubles; then one without
        self.ways = self._ways(rng)
        self.rules = self._rules(rng)
        self.credential = rng.choice(list(self.ways["auth"]["users"].items()))
        self.repositories = {}
        self.named = set()
        for _ in range(rng.randint(1, 3)):
            self._change(rng, "team/app" + str(len(self.repositories)), troubled=True)
        self.content_of_digests = {}

    def _rules(self, rng):
        wildcard = chance(rng, 0.3) and self.ways["lists"]["catalog"] == "yes"
        return "team/**" if wildcard else None

    @staticmethod
    def _ways(rng):
        scheme = rng.choice(("none", "none", "basic", "bearer", "bearer"))
        auth = {
            "scheme": scheme, "users": {"robot": "pass word:1", "$oauthtoken": "s3cret"},
            "anonymous": False, "realm": rng.choice(
                ("{base}/token", "{other}/token", "/token", "{base}/token?tenant=7&x=%20y")),
            "answer": rng.choice(("token", "access_token", "both")),
            "expires_in": rng.choice((300, 60, 0, 1, None)),
            "issued_at_skew": rng.choice((0, 3600, -3600, None)),
            "post": rng.choice((404, 401, 405, 400)),
            "honours": rng.choice(("all", "first", "last")),
            "uses": rng.choice((None, None, 60)),
            "offline_tokens": chance(rng, 0.5)}
        if scheme == "bearer":
            auth["challenge"] = rng.choice((None, None) + CHALLENGES)
        lists = {
            "page_size": rng.choice((1, 2, 3, 7, 1000)), "order": rng.choice(
                ("sorted", "reverse", "random")),
            "cursor": rng.choice(("last", "opaque", "number")),
            "link": rng.choice(("relative", "absolute", "no_port", "other_host", "other_scheme",
                                "prefix", "no_prefix", "query_only", "duplicate", "mixed", "unquoted")),
            "empty": rng.choice(("null", "[]", "404")), "duplicates": chance(rng, 0.2),
            "extra": rng.choice(([], [], [None], ["", "sha256:" + "a" * 64], [1, {}, [], "a b"])),
            "largest_n": rng.choice((None, None, 10)), "over_largest_n": rng.choice((400, 413)),
            "ignore_n": chance(rng, 0.2), "catalog": rng.choice(("yes", "yes", 401, 404, "empty")),
            "content_type": rng.choice(("application/json", "text/plain; charset=utf-8"))}
        if lists["largest_n"]:
            lists["page_size"] = min(lists["page_size"], 10)
        manifests = {
            "accept": rng.choice(("cncf", "strict", "ignore")),
            "head": rng.choice((200, 200, 200, 200, 404, 405, 403, 501)),
            "digest_header": rng.choice(("yes", "yes", "yes", "none")),
            "etag": rng.choice(("none", "digest", "weak", "unquoted", "opaque")),
            "not_modified": chance(rng, 0.5),
            "content_type": rng.choice(("yes", "yes", "parameters"))}
        referrers = {"api": rng.choice((404, 400, 405, 406, 200, 200, "empty", "html", "redirect")),
                     "page_size": rng.choice((1, 100)),
                     "fallback": rng.choice(("none", "good", "bare", "bad", "subject", "cycle"))}
        blobs = rng.choice((None, None, {"status": rng.choice((301, 302, 303, 307, 308)),
                                         "hops": rng.randint(0, 3)}))
        return {"auth": auth, "lists": lists, "manifests": manifests, "referrers": referrers,
                "redirects": {"blobs": blobs}}

    def _change(self, rng, repository, troubled):
        """New, moved and removed tags; in the end, no tag that cannot be read."""
        self.named.add(repository)
        tags = self.repositories.setdefault(repository, {})
        for tag in list(tags):
            fate = rng.random()
            if fate < 0.12:
                del tags[tag]
            elif fate < 0.25 or (not troubled and tags[tag].get("manifest") not in (None, *GOOD_KINDS)):
                tags[tag] = self._options(rng, troubled)
        for _ in range(rng.randint(0, 5)):
            tag = rng.choice(("1.", "17.", "v", "A_")) + str(rng.randint(0, 30))
            tags[tag] = self._options(rng, troubled)

    @staticmethod
    def _options(rng, troubled):
        options = {"revision": str(rng.randint(0, 1 << 30))}
        kind = rng.random()
        if kind < 0.3:
            options["manifest"] = rng.choice(GOOD_KINDS)
        elif kind < 0.42 and troubled:
            options["manifest"] = rng.choice(LARGE_KINDS if chance(rng, 0.05) else BAD_KINDS)
        if chance(rng, 0.1):
            options["referrers"] = ["application/spdx+json"] * rng.randint(1, 3)
        if chance(rng, 0.1):
            options["signed"] = True
        if chance(rng, 0.05) and troubled:
            options["then"] = {"revision": str(rng.randint(0, 1 << 30))}
            options["lost"] = chance(rng, 0.5)
        return options

    def profile(self, step):
        """The profile of a step; steps are taken in order."""
        last = step >= self.steps
        rng = random.Random(f"{self._seed} step {step}")
        if step:
            for repository in list(self.repositories):
                self._change(rng, repository, not last)
            if chance(rng, 0.15) and len(self.repositories) > 1:
                del self.repositories[rng.choice(sorted(self.repositories))]
        if last:
            for tags in self.repositories.values():
                for options in tags.values():
                    options.pop("then", None)
        sections = {name: dict(section) for name, section in self.ways.items()}
        if not last:
            self._trouble(rng, sections)
        return {"repositories": self.repositories, **sections}

    def _trouble(self, rng, sections):
        sections["faults"] = [self._fault(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        lists, manifests, auth = sections["lists"], sections["manifests"], sections["auth"]
        for share, section, values in (
                (0.1, lists, {"link": rng.choice(("malformed", "none", "cycle", "same"))}),
                (0.1, lists, {"alternate": rng.choice((".*[13579]", "1.*", ".*"))}),
                (0.1, lists, {"hide": rng.choice((".*[02468]", "v.*", ".*"))}),
                (0.1, lists, {"fail_page": [rng.randint(1, 3), rng.choice(STATUSES), rng.randint(1, 9)]}),
                (0.1, lists, {"gone_after_page": [1, "1." + str(rng.randint(0, 30))], "last_gone": 404}),
                (0.02, lists, {"many": 2000, "page_size": 1000}),
                (0.1, manifests, {"digest_header": "wrong"}),
                (0.1, manifests, {"content_type": rng.choice(("none", "json", "wrong"))}),
                (0.1, manifests, {"mixed_up": rng.choice(("manifests", "blobs"))}),
                (0.1, manifests, {"not_found": {"status": rng.choice((403, 404, 500)), "body": "no"}}),
                (0.1, manifests, {"head": rng.choice((404, 500, 429)), "head_times": rng.randint(1, 5)}),
                (0.05, auth, {"insufficient": [rng.choice(PATHS)]}),
                (0.05, auth, {"answer": "neither"}), (0.05, auth, {"challenge_on": "none"}),
                (0.05, auth, {"challenge_on": "ping"}), (0.03, auth, {"token_padding": 70000}),
                (0.03, auth, {"token_redirect": "{other}/token"}),
                (0.03, auth, {"refused_scopes": {".*": rng.choice((401, 403, 500))}}),
                (0.03, auth, {"realm": rng.choice(
                    ("http://169.254.169.254/token", "ftp://x/token", "http://127.0.0.1:1/token", ""))})):
            if chance(rng, share):
                section.update(values)
        if chance(rng, 0.1):
            sections["limits"] = {"requests": [rng.randint(0, 20), rng.choice((429, 503)),
                                               rng.choice(RETRY_AFTER), rng.choice((1, 3, None))]}
        if chance(rng, 0.05):
            sections["redirects"] = {"blobs": {"hops": -1}}
        if chance(rng, 0.05):
            sections["redirects"] = {"blobs": {"to": rng.choice(LOCATIONS).format(**self._origins)}}

    def _fault(self, rng):
        fault = {"path": rng.choice(PATHS)}
        if chance(rng, 0.5):
            fault["times"] = rng.randint(1, 5)
        if chance(rng, 0.5):
            fault["after"] = rng.randint(0, 8)
        if chance(rng, 0.3):
            fault["method"] = rng.choice(("GET", "HEAD"))
        kind = rng.random()
        if kind < 0.45:
            fault["status"] = rng.choice(STATUSES)
            retry_after = rng.choice(RETRY_AFTER)
            fault["headers"] = {"Retry-After": retry_after} if isinstance(retry_after, str) else {}
            fault["body"] = rng.choice(BODIES)
        elif kind < 0.65:
            fault["status"] = 200
            fault["body"] = rng.choice(BODIES)
        elif kind < 0.75:
            fault["status"] = rng.choice((301, 302, 303, 307, 308))
            fault["headers"] = {"Location": rng.choice(LOCATIONS).format(**self._origins)}
        else:
            rare = chance(rng, 0.15)
            fault["action"] = rng.choice(("hang", "endless", "slow") if rare else (
                "close", "reset", "truncate", "longer", "gzip", "chunked"))
            if rare:
                fault["times"] = 1
        return fault
