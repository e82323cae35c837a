#!/usr/bin/env python3
"""Pushes what a careful page must get right: texts that try to be more than text, long names, many platforms.

    hostile.py http://HOST:PORT
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "registry"))
import oci  # noqa: E402

SCRIPT = "<script>document.title = 'taken over'</script>"
CREATED = "2026-01-02T03:04:05Z"
LONG = ("a-team-with-a-very-long-name/that-nests-its-repositories/in-many-folders/"
        "postgresql-with-everything-that-anybody-has-ever-asked-for")


def main():
    registry = oci.Registry(sys.argv[1])
    registry.push("team/hostile", "1.0", oci.image(
        [("app", "x")], "amd64", CREATED, {"Labels": {"maintainer": "\"><img src=x onerror=\"document.title='taken over'\">"}},
        {"org.opencontainers.image.title": SCRIPT, "org.opencontainers.image.description": SCRIPT + " =1+1",
         "org.opencontainers.image.url": "javascript:document.title='taken over'", "text": "long " * 400}))
    children = [
        (oci.image([("app", architecture + variant)], architecture, CREATED, {}),
         {"platform": {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}})
        for architecture, variant in (("amd64", ""), ("amd64", "v2"), ("amd64", "v3"), ("arm64", "v8"), ("arm", "v5"), ("arm", "v6"), ("arm", "v7"),
                                      ("386", ""), ("ppc64le", ""), ("s390x", ""), ("riscv64", ""), ("mips64le", ""), ("loong64", ""))]
    registry.push(LONG, "17.4-2503310734-with-a-long-suffix-that-somebody-thought-useful", oci.index(children, {
        "org.opencontainers.image.title": "Everything, for all platforms"}))


main()
