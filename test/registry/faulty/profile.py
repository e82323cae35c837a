"""What a profile may say: the switches, their defaults, and the values with their sources.

A value that imitates a registry may be written with where it is known from:

    {"value": 100, "source": "owner/repo#1 or a document", "checked_live": "no"}
"""
import copy
import json

# Every switch with its default, by section. A switch that is not here is a mistake in a profile.
DEFAULTS = {
    "auth": {
        "scheme": "none",          # none | basic | bearer
        "users": {"robot": "s3cret"},
        "anonymous": False,        # true, or repositories (globs) that need no credential
        "owners": {},              # repositories (globs): the one user who may read them
        "challenge": None,         # verbatim: header values with {realm} {service} {scope} {base}
        "challenge_on": "all",     # all | ping (absent on the real request) | none
        "realm": "{base}/token",   # {base}: this registry, {other}: another port; may be relative
        "service": "registry",
        "answer": "token",         # token | access_token | both | neither
        "expires_in": 300,         # null: absent
        "issued_at_skew": 0,       # seconds; null: absent
        "post": 405,               # 200: OAuth 2 with identity_tokens; else the status of a POST
        "identity_tokens": {},     # identity token: user
        "rotate": False,           # each OAuth 2 answer holds a new identity token
        "honours": "all",          # all | first | last of several scopes
        "scopes": {"ping": "", "list": "repository:{name}:pull",
                   "pull": "repository:{name}:pull", "catalog": "registry:catalog:*"},
        "refused_scopes": {},      # regular expression: status of the token server
        "uses": None,              # requests that a token lasts, then 401 invalid_token
        "insufficient": [],        # paths (regular expressions) that no token is enough for
        "token_redirect": None,    # where the token server sends everybody
        "token_padding": 0,        # bytes that its answer is longer
        "long": None,              # [repositories (regular expression), bytes of realm, service, token]
        "offline_tokens": True,    # false: 401 when asked for one
    },
    "lists": {
        "page_size": 1000,         # most names in a page, whatever n says
        "largest_n": None,         # an n beyond is refused with over_largest_n
        "over_largest_n": 400,
        "ignore_n": False,         # everything in one reply
        "order": "sorted",         # sorted | reverse | random
        "cursor": "last",          # last | opaque | number
        "link": "relative",        # see links.py
        "empty": "null",           # null | [] | 404: a repository without tags
        "extra": [],               # elements that are no tags
        "duplicates": False,
        "many": 0,                 # so many names more, without manifests
        "many_length": 8,          # characters of each
        "endless": None,           # [repositories (regular expression), names of each page]
        "hide": None,              # tags (regular expression) left out
        "alternate": None,         # tags left out of every other listing
        "fail_page": None,         # [page from 1, status, times]
        "gone_after_page": None,   # [page, tag]: a tag that is deleted then
        "last_gone": 200,          # status when the tag that last names is gone
        "content_type": "application/json",
        "catalog": "yes",          # yes | empty | a status
        "members": {},             # more members of the answer
    },
    "manifests": {
        "accept": "ignore",        # ignore | cncf | strict
        "head": 200,               # or the status of every HEAD; "hang"
        "head_times": None,        # so often only
        "digest_header": "yes",    # yes | none | wrong
        "etag": "none",            # none | digest | weak | unquoted | opaque
        "not_modified": False,     # 304 for the exact ETag
        "content_type": "yes",     # yes | none | parameters | json | wrong
        "mixed_up": None,          # manifests | blobs: by digest, another of the repository
        "not_found": {"status": 404, "code": "MANIFEST_UNKNOWN"},  # status, code | body, type
    },
    "referrers": {
        "api": 404,                # 200 | empty | html | redirect | a status
        "page_size": 100,
        "endless": 0,              # bytes of one more referrer on each page, which never end
        "fallback": "none",        # none | good | bare | bad | subject | cycle
    },
    "limits": {
        "requests": None,          # [allowed, status, Retry-After or null, times]
        "rate": None,              # {"limit": 100, "window": 21600}: Docker Hub's headers
        "latency": 0,              # seconds
        "connections": None,       # further ones are closed at once
    },
    "redirects": {
        "blobs": None,             # {"status": 307, "to": "...", "hops": 0}; see redirects.py
        "manifests": None,
    },
}
OTHER_KEYS = {"repositories", "faults", "registry", "page_size"}


def is_sourced(value):
    """Whether it is a value with its source beside it."""
    return isinstance(value, dict) and set(value) == {"value", "source", "checked_live"}


def plain(value):
    """Without the sources."""
    if is_sourced(value):
        return plain(value["value"])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def complete(profile):
    """The profile with every switch set; ValueError for a switch that there is none of."""
    profile = plain(profile)
    unknown = set(profile) - set(DEFAULTS) - OTHER_KEYS
    whole = copy.deepcopy(DEFAULTS)
    for section, switches in whole.items():
        given = profile.get(section, {})
        unknown |= {f"{section}.{name}" for name in set(given) - set(switches)}
        for name, value in given.items():
            merge = isinstance(switches[name], dict) and name in ("scopes", "not_found")
            switches[name] = {**switches[name], **value} if merge else value
    if unknown:
        raise ValueError("unknown switches: " + ", ".join(sorted(unknown)))
    if "page_size" in profile:
        whole["lists"]["page_size"] = profile["page_size"]
    whole["repositories"] = profile.get("repositories", {})
    whole["faults"] = profile.get("faults", [])
    return whole


def read(path):
    """The profile in a JSON file, complete."""
    with open(path, encoding="utf-8") as file:
        return complete(json.load(file))
