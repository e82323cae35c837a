"""Authentication: what a request needs, and the token server.

The token server answers at /token on both listeners, so that a realm may be elsewhere. Tokens are
words without meaning; who has one may do what its scopes say until it has been used up.
"""
import base64
import datetime
import fnmatch
import re
import urllib.parse

from faulty.wire import Reply, encode, error


def basic_user(header, users):
    """The user whose password the header has; None for none and for a wrong one."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    return name if users.get(name) == password and password else None


class Token:
    """What was given to a client."""

    def __init__(self, scopes, uses):
        self.scopes = scopes
        self.uses = uses


class Authentication:
    """The section "auth" of a profile, and the tokens that it gave."""

    def __init__(self, switches, origins):
        self._switches = switches
        self._origins = origins
        self._tokens = {}
        self._identities = dict(switches["identity_tokens"])
        self._given = 0

    def refuse(self, request, purpose, repository):
        """The 401 or 403 of a request that may not be answered; None when it may."""
        scheme = self._switches["scheme"]
        if scheme == "none":
            return None
        if scheme == "basic":
            if basic_user(request.headers.get("authorization"), self._switches["users"]):
                return None
            return None if self._is_public(repository) else self._challenge(purpose, "", "")
        scope = self._switches["scopes"][purpose].format(name=repository)
        return self._check_token(request, purpose, scope)

    def _check_token(self, request, purpose, scope):
        header = request.headers.get("authorization", "")
        token = self._tokens.get(header.removeprefix("Bearer "))
        if token is None:
            return self._challenge(purpose, scope, "invalid_token" if header else "")
        if token.uses is not None:
            token.uses -= 1
            if token.uses < 0:
                del self._tokens[header.removeprefix("Bearer ")]
                return self._challenge(purpose, scope, "invalid_token")
        hopeless = any(re.fullmatch(pattern, request.path)
                       for pattern in self._switches["insufficient"])
        if hopeless or (scope and scope not in token.scopes):
            return self._challenge(purpose, scope, "insufficient_scope")
        return None

    def _is_public(self, repository):
        anonymous = self._switches["anonymous"]
        if isinstance(anonymous, bool):
            return anonymous
        return any(fnmatch.fnmatchcase(repository, pattern) for pattern in anonymous)

    def _may(self, user, repository):
        if user is None:
            return self._is_public(repository)
        return all(user == owner for pattern, owner in self._switches["owners"].items()
                   if fnmatch.fnmatchcase(repository, pattern))

    def _challenge(self, purpose, scope, reason):
        reply = error(401, "UNAUTHORIZED", "authentication required")
        switches = self._switches
        if switches["challenge_on"] == "none" or (
                switches["challenge_on"] == "ping" and purpose != "ping"):
            return reply
        realm = switches["realm"].format(**self._origins)
        words = {"realm": realm, "service": switches["service"], "scope": scope, **self._origins}
        if switches["challenge"] is not None:
            verbatim = switches["challenge"]
            for value in [verbatim] if isinstance(verbatim, str) else verbatim:
                reply.add("WWW-Authenticate", value.format(**words))
            return reply
        if switches["scheme"] == "basic":
            return reply.add("WWW-Authenticate", 'Basic realm="registry"')
        service = switches["service"]
        if self._is_long(self._named(scope)):
            _, of_realm, of_service, _ = switches["long"]
            realm = f"{realm}?{self._named(scope)}".ljust(of_realm, "x")
            service = service.ljust(of_service, "x")
        value = f'Bearer realm="{realm}",service="{service}"'
        value += f',scope="{scope}"' if scope else ""
        value += f',error="{reason}"' if reason else ""
        return reply.add("WWW-Authenticate", value)

    def token(self, request):
        """The answer of the token server; None when the request is not for it."""
        if request.plain_path != "/token":
            return None
        switches = self._switches
        if switches["token_redirect"]:
            to = switches["token_redirect"].format(**self._origins)
            return Reply(307, [("Location", to)])
        if request.method == "POST":
            return self._exchange(request)
        header = request.headers.get("authorization")
        user = basic_user(header, switches["users"])
        if header and user is None:
            return error(401, "UNAUTHORIZED", "wrong password")
        if request.query.get("offline_token") and not switches["offline_tokens"]:
            return error(401, "UNAUTHORIZED", "no offline tokens")
        return self._grant(user, request.all_of("scope"), None)

    def _exchange(self, request):
        if self._switches["post"] != 200:
            return error(self._switches["post"], "UNSUPPORTED", "no OAuth 2 here")
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        user = self._identities.get(form.get("refresh_token"))
        if user is None:
            return error(401, "UNAUTHORIZED", "unknown identity token")
        newer = None
        if self._switches["rotate"]:
            newer = form["refresh_token"] + "+"
            self._identities[newer] = user
        return self._grant(user, form.get("scope", "").split(), newer)

    def _grant(self, user, scopes, refresh_token):
        switches = self._switches
        honoured = {"all": scopes, "first": scopes[:1], "last": scopes[-1:]}[switches["honours"]]
        for scope in honoured:
            for pattern, status in switches["refused_scopes"].items():
                if re.fullmatch(pattern, scope):
                    return error(status, "DENIED", "not for you")
        honoured = [scope for scope in honoured if self._may(user, self._named(scope))]
        self._given += 1
        name = f"issued-token-{self._given}"
        if any(self._is_long(self._named(scope)) for scope in scopes):
            name = f"{name}-".ljust(switches["long"][3], "x")
        self._tokens[name] = Token(set(honoured), switches["uses"])
        value = {"both": {"token": name, "access_token": name}, "neither": {}}.get(
            switches["answer"], {switches["answer"]: name})
        if switches["expires_in"] is not None:
            value["expires_in"] = switches["expires_in"]
        if switches["issued_at_skew"] is not None:
            issued = datetime.datetime.now(datetime.timezone.utc)
            issued += datetime.timedelta(seconds=switches["issued_at_skew"])
            value["issued_at"] = issued.strftime("%Y-%m-%dT%H:%M:%SZ")
        if refresh_token:
            value["refresh_token"] = refresh_token
        if switches["token_padding"]:
            value["padding"] = "x" * switches["token_padding"]
        return Reply(200, [("Content-Type", "application/json")], encode(value))

    def _is_long(self, repository):
        long = self._switches["long"]
        return bool(long) and re.fullmatch(long[0], repository) is not None

    @staticmethod
    def _named(scope):
        """The repository of a scope: `repository:NAME:ACTIONS`."""
        return scope.partition(":")[2].rpartition(":")[0]
