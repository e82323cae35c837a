"""OCI and Docker artifacts as bytes, and a client that pushes them to a registry.

Everything is deterministic: the same calls give the same digests. Formats follow the OCI image-spec
and distribution-spec 1.1 and Docker's image manifest version 2, schema 2. Standard library only.
"""

import base64
import dataclasses
import gzip
import hashlib
import http.client
import io
import json
import re
import ssl
import tarfile
import urllib.parse
import urllib.request

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"

MANIFEST_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)


def digest_of(data):
    """`sha256:<64 hex digits>` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(value):
    """Compact JSON as bytes; keys keep their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclasses.dataclass(frozen=True)
class Blob:
    """Content of a config or a layer. A declared size other than the real one stands for content
    too large to ship, such as model weights: registries that check existence only accept it."""

    media_type: str
    data: bytes
    annotations: dict = dataclasses.field(default_factory=dict)
    declared_size: int | None = None

    def descriptor(self):
        size = len(self.data) if self.declared_size is None else self.declared_size
        descriptor = {"mediaType": self.media_type, "digest": digest_of(self.data), "size": size}
        if self.annotations:
            descriptor["annotations"] = self.annotations
        return descriptor


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A manifest or an index with all that it refers to."""

    media_type: str
    body: bytes
    blobs: tuple = ()
    children: tuple = ()

    @property
    def digest(self):
        return digest_of(self.body)

    def descriptor(self, **more):
        """Descriptor of this manifest; more: platform, annotations, artifactType."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


def manifest(config, layers, annotations=None, media_type=OCI_MANIFEST, artifact_type=None,
             subject=None):
    """An image manifest. subject: the Artifact that this one is attached to."""
    value = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        value["artifactType"] = artifact_type
    value["config"] = config.descriptor()
    value["layers"] = [layer.descriptor() for layer in layers]
    if subject:
        value["subject"] = subject.descriptor()
    if annotations:
        value["annotations"] = annotations
    return Artifact(media_type, encode(value), (config, *layers))


def index(children, annotations=None, media_type=OCI_INDEX):
    """An image index of [(Artifact, extra members of its descriptor)]."""
    value = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [child.descriptor(**more) for child, more in children],
    }
    if annotations:
        value["annotations"] = annotations
    return Artifact(media_type, encode(value), (), tuple(child for child, _ in children))


def file_layer(path, text, media_type=OCI_LAYER, declared_size=None):
    """A gzipped tar with one file, and the digest of the tar (its diff_id)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        entry = tarfile.TarInfo(path)
        entry.size = len(text.encode())
        tar.addfile(entry, io.BytesIO(text.encode()))
    # Stored, not deflated: the bytes must not depend on the version of zlib.
    packed = gzip.compress(plain.getvalue(), compresslevel=0, mtime=0)
    return Blob(media_type, packed, declared_size=declared_size), digest_of(plain.getvalue())


def image(files, architecture, created, settings, annotations=None, docker=False, sizes=()):
    """A container image for linux.

    files: [(path, text)], a layer each; created: RFC 3339; settings: the config's `config` object
    (Env, Labels, User, ...); sizes: declared layer sizes in bytes, where not the real ones.
    """
    layers, diff_ids, history = [], [], []
    for number, (path, text) in enumerate(files):
        layer, diff_id = file_layer(
            path, text, DOCKER_LAYER if docker else OCI_LAYER,
            sizes[number] if number < len(sizes) else None)
        layers.append(layer)
        diff_ids.append(diff_id)
        history.append({"created": created, "created_by": f"COPY {path} /"})
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    }
    if architecture == "arm64":
        config["variant"] = "v8"
    return manifest(
        Blob(DOCKER_CONFIG if docker else OCI_CONFIG, encode(config)), layers, annotations,
        DOCKER_MANIFEST if docker else OCI_MANIFEST)


def attestation(subject, predicate_type):
    """BuildKit's attestation manifest for a child of an index, with its descriptor's members
    (docs.docker.com/build/metadata/attestations/attestation-storage)."""
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": predicate_type,
        "subject": [{"name": "_", "digest": {"sha256": subject.digest.split(":")[1]}}],
        "predicate": {},
    }
    layer = Blob(IN_TOTO, encode(statement), {"in-toto.io/predicate-type": predicate_type})
    config = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer.data)]},
    }
    more = {
        "annotations": {
            "vnd.docker.reference.digest": subject.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": {"architecture": "unknown", "os": "unknown"},
    }
    return manifest(Blob(OCI_CONFIG, encode(config)), [layer]), more


def platform(architecture):
    """Members of an index's descriptor for linux on this architecture."""
    value = {"architecture": architecture, "os": "linux"}
    if architecture == "arm64":
        value["variant"] = "v8"
    return {"platform": value}


class RegistryError(Exception):
    """The registry answered something else than what was asked for."""


class Registry:
    """Pushes to one registry over a kept connection, with no, Basic or Bearer authentication.

    url: `http[s]://host[:port]`; ca: file of a PEM bundle; user: `name:password`; certificate: PEM
    files of a client certificate and its key.
    """

    def __init__(self, url, ca=None, user=None, certificate=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RegistryError(f"not the URL of a registry: {url}")
        self._context = ssl.create_default_context(cafile=ca)
        if certificate:
            self._context.load_cert_chain(*certificate)
        # A proxy of the environment could not reach a registry on loopback.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context))
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.netloc, timeout=30, context=self._context)
        else:
            self._connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        self._basic = "Basic " + base64.b64encode(user.encode()).decode() if user else None
        self._authorization = None

    def push(self, repository, reference, artifact):
        """Pushes the artifact and all it refers to; reference: a tag or its digest."""
        for child in artifact.children:
            self.push(repository, child.digest, child)
        for blob in artifact.blobs:
            self._push_blob(repository, blob.data)
        self._request("PUT", f"/v2/{repository}/manifests/{reference}", (201,), artifact.body,
                      {"Content-Type": artifact.media_type})

    def digest(self, repository, tag):
        """Digest that the tag points to, or None when there is none."""
        status, headers = self._request("HEAD", f"/v2/{repository}/manifests/{tag}", (200, 404),
                                        headers={"Accept": ", ".join(MANIFEST_TYPES)})
        return headers["Docker-Content-Digest"] if status == 200 else None

    def delete(self, repository, tag):
        """Deletes the tag's manifest, and with it every tag that points to the same digest."""
        digest = self.digest(repository, tag)
        if digest is None:
            raise RegistryError(f"{repository}:{tag} does not exist")
        self._request("DELETE", f"/v2/{repository}/manifests/{digest}", (202,))
        return digest

    def _push_blob(self, repository, data):
        digest = digest_of(data)
        status, _ = self._request("HEAD", f"/v2/{repository}/blobs/{digest}", (200, 404))
        if status == 200:
            return
        _, headers = self._request("POST", f"/v2/{repository}/blobs/uploads/", (202,))
        location = urllib.parse.urlsplit(headers["Location"])
        query = location.query + ("&" if location.query else "") + f"digest={digest}"
        self._request("PUT", f"{location.path}?{query}", (201,), data,
                      {"Content-Type": "application/octet-stream"})

    def _request(self, method, path, expected, body=None, headers=None):
        response, content = self._send(method, path, body, headers)
        if response.status == 401:
            self._authorization = self._answer(response.getheader("WWW-Authenticate", ""))
            response, content = self._send(method, path, body, headers)
        if response.status not in expected:
            text = content.decode(errors="replace").strip()
            raise RegistryError(f"{method} {path}: {response.status} {response.reason} {text}")
        return response.status, response.headers

    def _send(self, method, path, body, headers):
        headers = dict(headers or {})
        if self._authorization:
            headers["Authorization"] = self._authorization
        # Without a length an empty POST would be refused by some registries.
        if body is None and method in ("POST", "PUT"):
            body = b""
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response, response.read()

    def _answer(self, challenge):
        """The Authorization header that a WWW-Authenticate challenge asks for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._basic:
            return self._basic
        if scheme.lower() != "bearer":
            raise RegistryError(f"cannot answer the challenge: {challenge or 'none'}")
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = {name: parameters[name] for name in ("service", "scope") if name in parameters}
        request = urllib.request.Request(
            parameters["realm"] + "?" + urllib.parse.urlencode(query))
        if self._basic:
            request.add_header("Authorization", self._basic)
        with self._opener.open(request, timeout=30) as reply:
            value = json.load(reply)
        return "Bearer " + (value.get("token") or value["access_token"])
