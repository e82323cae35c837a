"""The forms in which registries write the link to the next page (RFC 8288, and what they make of it)."""

# A form takes where the next page is (path with query, from the root) and gives header values.
FORMS = {
    "relative": lambda to, origins, name: [f'<{to}>; rel="next"'],
    "absolute": lambda to, origins, name: [f'<{origins["base"]}{to}>; rel="next"'],
    "no_port": lambda to, origins, name: [f'<http://127.0.0.1{to}>; rel="next"'],
    "other_host": lambda to, origins, name: [f'<{origins["other"]}{to}>; rel="next"'],
    "other_scheme": lambda to, origins, name: [
        f'<{origins["base"].replace("http:", "https:")}{to}>; rel="next"'],
    "prefix": lambda to, origins, name: [f'<{origins["base"]}/repository/docker{to}>; rel="next"'],
    "no_prefix": lambda to, origins, name: [f'<{_without_first(to, name)}>; rel="next"'],
    "query_only": lambda to, origins, name: [f'<?{to.partition("?")[2]}>; rel="next"'],
    "duplicate": lambda to, origins, name: [f'<{to}>; rel="next"', f'<{to}>; rel="next"'],
    "mixed": lambda to, origins, name: [
        f'<{to}&back>; rel="prev"; title="a, b", <{to}>; title="x; rel=none"; rel="last next"'],
    "unquoted": lambda to, origins, name: [f"<{to}>; rel=next"],
    "malformed": lambda to, origins, name: [f'{to}>; rel="next"'],
    "none": lambda to, origins, name: [],
}


def _without_first(path, name):
    """The path with the first part of the repository's name left out."""
    return path.replace(f"/v2/{name}/", "/v2/" + name.partition("/")[2] + "/")


def link_headers(form, to, origins, name):
    """Header values of a link to the path."""
    return [("Link", value) for value in FORMS[form](to, origins, name)]
