#!/usr/bin/env python3
"""Pushes small images without layers to a registry: a line `repository tag content` of standard
input is one. Images of equal content have one digest; the content is a label. A line `repository
tag` deletes what the tag points to. Prints `repository tag digest` for each line."""

import argparse
import sys

import oci


def image(content):
    config = {"architecture": "amd64", "os": "linux", "config": {"Labels": {"content": content}},
              "rootfs": {"type": "layers", "diff_ids": []}}
    return oci.manifest(oci.Blob(oci.OCI_CONFIG, oci.encode(config)), ())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="http[s]://host[:port]")
    parser.add_argument("--user", metavar="NAME:PASSWORD")
    options = parser.parse_args()
    registry = oci.Registry(options.url, user=options.user)
    for line in sys.stdin:
        repository, tag, *content = line.split()
        if content:
            artifact = image(*content)
            registry.push(repository, tag, artifact)
            digest = artifact.digest
        else:
            digest = registry.delete(repository, tag)
        print(repository, tag, digest)


if __name__ == "__main__":
    main()
