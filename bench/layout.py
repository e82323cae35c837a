"""Generates one set of images for two registries, much faster than pushes would.

generate(folder, repositories, tags) writes so many repositories `teamN/imageNNNN` of so many tags each:
- FOLDER/storage: the `rootdirectory` of docker-registry's filesystem driver
  (distribution, registry/storage/paths.go);
- FOLDER/static: the same bytes, by hard links, as files that nginx serves under /v2/;
- FOLDER/digests.map: for nginx, the digest of each manifest's path;
- FOLDER/images.tsv: repository, tag and config digest of each image.

Every tag has a manifest and a config of its own, with the labels, environment and history that real
ones have; the layers are named but absent, as nothing that reads metadata asks for them. The same
arguments always write the same bytes.
"""

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

    def put_image(self, repository, tag, manifest, config):
        """Returns the files of the manifest and of the config."""
        base = f"repositories/{repository}"
        digest, config_file = self._put_blob(config)
        self._link(f"{base}/_layers/sha256/{digest}/link", digest)
        digest, manifest_file = self._put_blob(manifest)
        self._link(f"{base}/_manifests/revisions/sha256/{digest}/link", digest)
        self._link(f"{base}/_manifests/tags/{tag}/current/link", digest)
        self._link(f"{base}/_manifests/tags/{tag}/index/sha256/{digest}/link", digest)
        return manifest_file, config_file

    def _put_blob(self, data):
        hexadecimal = hashlib.sha256(data).hexdigest()
        return hexadecimal, write(self._root / f"blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data", data)

    def _link(self, path, hexadecimal):
        write(self._root / path, f"sha256:{hexadecimal}".encode())


class Static:
    """The answers of a registry as files."""

    def __init__(self, folder):
        self._root = pathlib.Path(folder) / "v2"

    def put_image(self, repository, tag, files, digests):
        self._link(files[0], f"{repository}/manifests/{tag}")
        self._link(files[0], f"{repository}/manifests/{digests[0]}")
        self._link(files[1], f"{repository}/blobs/{digests[1]}")

    def put_tags(self, repository, tags):
        body = json.dumps({"name": repository, "tags": sorted(tags)}).encode()
        write(self._root / repository / "tags/list", body)

    def put_catalog(self, repositories):
        write(self._root / "_catalog", json.dumps({"repositories": sorted(repositories)}).encode())

    def _link(self, file, path):
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(file)


def write(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


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
                "digest": digest_of(config),
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


def generate(folder, repository_count, tag_count):
    """Writes the images into an empty folder."""
    folder = pathlib.Path(folder)
    storage = Storage(folder / "storage")
    static = Static(folder / "static")
    repositories = []
    with open(folder / "images.tsv", "w") as images, open(folder / "digests.map", "w") as digest_map:
        for number in range(repository_count):
            repository = f"team{number % 10}/image{number:04}"
            repositories.append(repository)
            # A seed for each repository: more repositories leave the first ones as they are.
            generator = Generator(number)
            tags = []
            for tag_number in range(tag_count):
                tag = generator.tag(tag_number)
                tags.append(tag)
                manifest, config = generator.image(repository, tag)
                digests = digest_of(manifest), digest_of(config)
                static.put_image(repository, tag, storage.put_image(repository, tag, manifest, config), digests)
                images.write(f"{repository}\t{tag}\t{digests[1]}\n")
                for name in (tag, digests[0]):
                    digest_map.write(f'"/v2/{repository}/manifests/{name}" "{digests[0]}";\n')
            static.put_tags(repository, tags)
    static.put_catalog(repositories)
