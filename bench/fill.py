#!/usr/bin/env python3
"""Fills the storage folder of docker-registry with images, much faster than pushes would.

    fill.py FOLDER REPOSITORIES TAGS

Writes REPOSITORIES repositories `teamN/imageNNNN` of TAGS tags each into FOLDER, the
`rootdirectory` of the filesystem driver. Every tag has a manifest and a config of its own, with the
labels, environment and history that real ones have; the layers are named but absent, as nothing
that reads metadata asks for them. The same arguments always write the same bytes.

Layout: distribution, registry/storage/paths.go.
"""

import argparse
import hashlib
import json
import pathlib
import random

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYERS = 6


class Storage:
    """Blobs and the links to them, in docker-registry's layout."""

    def __init__(self, folder):
        self._root = pathlib.Path(folder) / "docker/registry/v2"

    def put_blob(self, data):
        """Returns the digest's hex digits."""
        hexadecimal = hashlib.sha256(data).hexdigest()
        self._write(f"blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data", data)
        return hexadecimal

    def put_image(self, repository, tag, manifest, config):
        base = f"repositories/{repository}"
        digest = self.put_blob(config)
        self._link(f"{base}/_layers/sha256/{digest}/link", digest)
        digest = self.put_blob(manifest)
        self._link(f"{base}/_manifests/revisions/sha256/{digest}/link", digest)
        self._link(f"{base}/_manifests/tags/{tag}/current/link", digest)
        self._link(f"{base}/_manifests/tags/{tag}/index/sha256/{digest}/link", digest)

    def _link(self, path, hexadecimal):
        self._write(path, f"sha256:{hexadecimal}".encode())

    def _write(self, path, data):
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


class Generator:
    """Random but repeatable images."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def tag(self, number):
        """`17.12-2503191025`: different for each number."""
        return f"{self._random.randint(14, 18)}.{number}-{self._build_stamp()}"

    def image(self, repository, tag):
        """(manifest, config) as bytes."""
        labels = self._labels(repository, tag)
        config = json.dumps(self._config(tag, labels), separators=(",", ":")).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "config": {
                "mediaType": IMAGE_CONFIG,
                "digest": "sha256:" + hashlib.sha256(config).hexdigest(),
                "size": len(config),
            },
            "layers": [
                {"mediaType": IMAGE_LAYER, "digest": self._digest(),
                 "size": self._random.randint(10**3, 10**8)}
                for _ in range(LAYERS)
            ],
            "annotations": labels,
        }
        return json.dumps(manifest, separators=(",", ":")).encode(), config

    def _labels(self, repository, tag):
        prefix = "org.opencontainers.image."
        return {
            prefix + "title": repository,
            prefix + "version": tag.split("-")[0],
            prefix + "created": self._time(),
            prefix + "source": f"https://git.example.org/{repository}",
            prefix + "revision": f"{self._random.getrandbits(160):040x}",
            prefix + "licenses": "PostgreSQL",
            prefix + "vendor": "Example",
            "maintainer": "team@example.org",
        }

    def _config(self, tag, labels):
        version = tag.split("-")[0]
        created = labels["org.opencontainers.image.created"]
        return {
            "created": created,
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "26",
                "ExposedPorts": {"5432/tcp": {}},
                "Env": [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    f"PG_MAJOR={version.split('.')[0]}",
                    f"PG_VERSION={version}",
                    "LANG=en_US.utf8",
                    "PGDATA=/var/lib/postgresql/data",
                ],
                "Entrypoint": ["docker-entrypoint.sh"],
                "Cmd": ["postgres"],
                "Labels": labels,
                "Volumes": {"/var/lib/postgresql/data": {}},
                "StopSignal": "SIGINT",
            },
            "rootfs": {"type": "layers", "diff_ids": [self._digest() for _ in range(LAYERS)]},
            "history": [
                {"created": created,
                 "created_by": f"COPY file:{self._random.getrandbits(64):016x} /usr/local/bin"}
                for _ in range(LAYERS)
            ],
        }

    def _digest(self):
        return f"sha256:{self._random.getrandbits(256):064x}"

    def _build_stamp(self):
        return (f"25{self._random.randint(1, 12):02}{self._random.randint(1, 28):02}"
                f"{self._random.randint(0, 23):02}{self._random.randint(0, 59):02}")

    def _time(self):
        return (f"2025-{self._random.randint(1, 12):02}-{self._random.randint(1, 28):02}"
                f"T{self._random.randint(0, 23):02}:00:00Z")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("repositories", type=int)
    parser.add_argument("tags", type=int)
    options = parser.parse_args()

    storage = Storage(options.folder)
    for number in range(options.repositories):
        repository = f"team{number % 10}/image{number:04}"
        # A seed for each repository: more repositories leave the first ones as they are.
        generator = Generator(number)
        for tag_number in range(options.tags):
            tag = generator.tag(tag_number)
            storage.put_image(repository, tag, *generator.image(repository, tag))
    print(f"{options.repositories * options.tags} images in {options.repositories} repositories")


if __name__ == "__main__":
    main()
