"""Lists of tags and of repositories, page by page."""
import base64
import random
import re
import urllib.parse

from faulty.links import link_headers
from faulty.wire import Reply, encode, error


class Lists:
    """The section "lists" of a profile, and how far listings have come."""

    def __init__(self, switches, content, origins):
        self._switches = switches
        self._content = content
        self._origins = origins
        digits = switches["many_length"] - 1
        self._many = [f"x{number:0{digits}}" for number in range(switches["many"])]
        self._walks = {}   # repository: listings begun
        self._failures = 0
        self._repeats = 0

    def tags(self, repository, request):
        """An answer to tags/list."""
        tags = self._content.tags.get(repository)
        if tags is None or (not tags and str(self._switches["empty"]) == "404"):
            return error(404, "NAME_UNKNOWN")
        if not tags and not self._many:
            nothing = None if self._switches["empty"] == "null" else []
            reply = self._json({"name": repository, "tags": nothing})
            reply.listing = (repository, [], True, True)
            return reply
        endless = self._switches["endless"]
        if endless and re.fullmatch(endless[0], repository):
            return self._endless_page(repository, request, endless[1])
        first = not self._position(request)
        if first:
            self._walks[repository] = self._walks.get(repository, 0) + 1
        names = self._visible(repository, tags)
        reply = self._page(names, request, "tags", {"name": repository, **self._switches["members"]})
        self._delete_between(repository, request)
        return reply

    def _endless_page(self, repository, request, size):
        """One page more of names that no page had before."""
        position = int(request.query.get("position", 0))
        digits = self._switches["many_length"] - 1
        names = [f"x{number:0{digits}}" for number in range(position, position + size)]
        reply = self._json({"name": repository, "tags": names})
        reply.headers += link_headers(
            "relative", f"{request.plain_path}?position={position + size}", self._origins, repository)
        return reply

    def catalogue(self, request):
        """An answer to _catalog."""
        offered = self._switches["catalog"]
        if isinstance(offered, int):
            return error(offered, {401: "UNAUTHORIZED", 404: "NOT_FOUND"}.get(offered, "DENIED"))
        if offered == "empty":
            return self._json({"repositories": []})
        reply = self._page(sorted(self._content.tags), request, "repositories", {})
        reply.listing = ()
        return reply

    def _visible(self, repository, tags):
        names = list(tags) + self._many
        hidden = [self._switches["hide"]]
        if self._walks.get(repository, 0) % 2 == 0:
            hidden.append(self._switches["alternate"])
        for pattern in filter(None, hidden):
            names = [name for name in names if not re.fullmatch(pattern, name)]
        names.sort(reverse=self._switches["order"] == "reverse")
        if self._switches["order"] == "random":
            random.Random(len(names)).shuffle(names)
        return names

    def _position(self, request):
        """Where a page begins, as the cursor says; empty for the first."""
        query = request.query
        return query.get("next_page") or query.get("last") or ""

    def _page(self, names, request, key, members):
        switches = self._switches
        position = self._position(request)
        asked = request.query.get("n", "")
        if switches["largest_n"] and asked.isdigit() and int(asked) > switches["largest_n"]:
            code = "TOO_MANY_TAGS_REQUESTED" if switches["over_largest_n"] == 413 else (
                "PAGINATION_NUMBER_INVALID")
            return error(switches["over_largest_n"], code, "n is too large")
        start = 0 if switches["ignore_n"] else self._start(names, position)
        if start is None:
            return error(switches["last_gone"], "NAME_UNKNOWN", "last is gone")
        size = switches["page_size"]
        if asked.isdigit() and 0 < int(asked) < size:
            size = int(asked)
        if switches["ignore_n"]:
            size = len(names)
        failing = switches["fail_page"]
        number = start // size + 1 if size else 1
        if failing and number == failing[0] and self._failures < failing[2]:
            self._failures += 1
            return error(failing[1], "UNKNOWN", "this page is lost")
        page = names[start:start + size]
        last = start + size >= len(names)
        elements = list(page)
        if not start:
            elements = list(switches["extra"]) + elements
        if switches["duplicates"]:
            elements += page
        reply = self._json({**members, key: elements})
        self._link(reply, page, start, size, last, request, members.get("name", ""))
        linked = any(name == "Link" for name, _ in reply.headers)
        reply.listing = (members.get("name", ""), page, not start, not linked)
        return reply

    def _link(self, reply, page, start, size, last, request, name):
        form = self._switches["link"]
        path = request.plain_path
        if form == "cycle":
            reply.headers += link_headers("relative", f"{path}?n={size}", self._origins, name)
        elif form == "same":
            # The same page for ever, each time by a new URL.
            self._repeats += 1
            to = f"{path}?n={size}&turn={self._repeats}"
            reply.headers += link_headers("relative", to, self._origins, name)
        elif not last:
            to = f"{path}?{self._cursor(page, start, size)}"
            reply.headers += link_headers(form, to, self._origins, name)

    def _cursor(self, page, start, size):
        kind = self._switches["cursor"]
        if kind == "opaque":
            text = base64.urlsafe_b64encode(f"gAAA:{start + size}".encode()).decode()
            return f"n={size}&next_page=" + urllib.parse.quote(text)
        value = str(start + size) if kind == "number" else page[-1]
        return f"last={urllib.parse.quote(value, safe='')}&n={size}"

    def _start(self, names, position):
        """Index of the first name of a page; None when its cursor leads nowhere."""
        if not position:
            return 0
        if self._switches["cursor"] == "opaque":
            return int(base64.urlsafe_b64decode(position).partition(b":")[2])
        if self._switches["cursor"] == "number":
            return int(position)
        if position in names:
            return names.index(position) + 1
        if self._switches["last_gone"] != 200:
            return None
        if self._switches["order"] == "reverse":
            return sum(name >= position for name in names)
        return sum(name <= position for name in names)

    def _delete_between(self, repository, request):
        change = self._switches["gone_after_page"]
        number = 1 if not self._position(request) else 2
        if change and change[0] == number:
            self._content.remove(repository, change[1])

    def _json(self, value):
        return Reply(200, [("Content-Type", self._switches["content_type"])], encode(value))
