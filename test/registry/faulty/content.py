"""The content of a profile: repositories, tags, manifests, blobs and what is attached to them.

A tag is a small image made from its name and "revision", or with "manifest" one of:
    docker       Docker schema 2                          docker_list  Docker's manifest list
    index        an OCI index of two platforms            attested     with an attestation
    nested       an index of indexes                      too_deep     nested six times
    cycle        an index that names itself               sparse       whose second child is lost
    inline       a config inside its descriptor           no_type      no mediaType in the body
    sha512       the digest of its config is sha512       helm         a Helm chart
    nul          an annotation with an escaped NUL         utf8        one that is not UTF-8
    not_json     no JSON at all                            deep        nested 3,000 times
    both         an image and an index at once             schema1     Docker schema 1
    huge         more than 4 MiB                           endless_config  a config beyond 1 MiB
    wrong_digest bytes that do not hash to their digest    lost_config     a config that is not there
    wrong_type   the body says another type than the header

"size": bytes of the manifest, "config_size": bytes of the config, by padding; "filler": the padding
of a manifest is not one annotation, but very many "annotations" or "objects". "platforms": of an
index, whose children have the same size. "labels", "annotations": more of them. "referrers": artifact types attached to the image.
"signed": true: a cosign tag beside it. "then": the options of the image that the tag moves to once
it was asked for; "lost": with it the first image is gone. A tag `1.{0..9}` is
ten of them, but for those that are named themselves.
"""
import base64
import dataclasses
import hashlib
import re

from oci import (DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, IN_TOTO, OCI_CONFIG,
                 OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest_of, encode)

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
HELM = "application/vnd.cncf.helm.config.v1+json"
INDEXES = ("index", "attested", "nested", "too_deep", "cycle", "sparse", "docker_list")
UNREADABLE = ("nul", "utf8", "not_json", "deep", "both", "schema1", "huge", "endless_config",
              "wrong_digest", "lost_config", "wrong_type", "too_deep", "cycle")


@dataclasses.dataclass(frozen=True)
class Stored:
    """A manifest as it is served."""

    digest: str
    media_type: str
    body: bytes

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


def expanded(tag):
    """The tags that `1.{0..9}` stands for; any other stands for itself."""
    range_ = re.fullmatch(r"(.*)\{(\d+)\.\.(\d+)\}(.*)", tag)
    if not range_:
        return [tag]
    return [f"{range_[1]}{number}{range_[4]}" for number in range(int(range_[2]), int(range_[3]) + 1)]


def padded(value, size, place):
    """The value with so much text at place that its JSON is size bytes long."""
    place["padding"] = ""
    place["padding"] = "x" * max(0, size - len(encode(value)))
    return encode(value)


def filled(value, size, filler):
    """The JSON of an object, made size bytes long by very many things."""
    body = encode(value)
    left = size - len(body) - 40
    if filler == "objects":
        return body[:-1] + b',"filler":[' + b"{}," * (left // 3) + b"{}]}"
    entries = b",".join(b'"%07d":"abcdefgh"' % number for number in range(left // 21))
    return body[:-1] + b',"annotations":{' + entries + b"}}"


class Content:
    """Made once a profile is read; tags may move afterwards."""

    def __init__(self, repositories):
        self.tags = {}
        self.manifests = {}
        self.blobs = {}
        self.attached = {}   # (repository, subject): [descriptor]
        self.ever = {}       # every manifest that there was: (repository, digest): Stored
        self._moves = {}
        for repository, tags in repositories.items():
            self.tags[repository] = {}
            named = {tag: options for pattern, options in tags.items()
                     for tag in expanded(pattern) if tag != pattern}
            named.update({tag: options for tag, options in tags.items() if expanded(tag) == [tag]})
            for tag, options in named.items():
                self._add_tag(repository, tag, options)

    def find(self, repository, reference):
        """The manifest of a tag or digest, or None."""
        digest = self.tags.get(repository, {}).get(reference, reference)
        return self.manifests.get((repository, digest))

    @staticmethod
    def another(kept, repository, digest):
        """Some other manifest or blob of the repository; the same when it is the only one."""
        names = sorted(name for owner, name in kept if owner == repository)
        if digest not in names:
            return None
        return kept[repository, names[names.index(digest) - 1]]

    def config(self, repository, descriptor):
        """The bytes of a config, wherever they are."""
        if "data" in descriptor:
            return base64.b64decode(descriptor["data"])
        return self.blobs[repository, descriptor["digest"]]

    def asked(self, repository, tag):
        """A tag with "then" moves after it was asked for."""
        move = self._moves.pop((repository, tag), None)
        if move is None:
            return
        old = self.tags[repository][tag]
        self._add_tag(repository, tag, move["then"])
        if move.get("lost"):
            self.manifests.pop((repository, old), None)

    def remove(self, repository, tag):
        self.tags.get(repository, {}).pop(tag, None)

    def _add_tag(self, repository, tag, options):
        stored = self._image(repository, tag, options)
        self.tags[repository][tag] = stored.digest
        for number, kind in enumerate(options.get("referrers", [])):
            self._attach(repository, stored, kind, number)
        if options.get("signed"):
            name = "sha256-" + stored.digest.partition(":")[2] + ".sig"
            self.tags[repository][name] = self._signature(repository, stored).digest
        if "then" in options:
            self._moves[repository, tag] = options

    def store(self, repository, media_type, body, digest=None):
        stored = Stored(digest or digest_of(body), media_type, body)
        self.manifests[repository, stored.digest] = self.ever[repository, stored.digest] = stored
        return stored

    def _blob(self, repository, data):
        self.blobs[repository, digest_of(data)] = data
        return digest_of(data)

    def _image(self, repository, tag, options):
        kind = options.get("manifest", "")
        if kind in INDEXES:
            return self._index(repository, tag, options, kind)
        return self._single(repository, tag, options, kind)

    def _config(self, repository, tag, options, platform):
        os_name, architecture, *variant = platform.split("/")
        config = {
            "architecture": architecture, "os": os_name, "created": "2026-01-02T03:04:05Z",
            "config": {"Labels": {"org.opencontainers.image.title": repository,
                                  "org.opencontainers.image.version": tag,
                                  "revision": str(options.get("revision", "1")),
                                  **options.get("labels", {})}},
            "rootfs": {"type": "layers", "diff_ids": []}}
        if variant:
            config["variant"] = variant[0]
        size = options.get("config_size")
        if options.get("manifest") == "endless_config":
            size = 2 << 20
        return padded(config, size, config) if size else encode(config)

    def _single(self, repository, tag, options, kind, platform="linux/amd64"):
        docker = kind in ("docker", "docker_list")
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        config = self._config(repository, tag, options, platform)
        descriptor = {"mediaType": DOCKER_CONFIG if docker else OCI_CONFIG,
                      "digest": digest_of(config), "size": len(config)}
        if kind == "sha512":
            descriptor["digest"] = "sha512:" + hashlib.sha512(config).hexdigest()
        if kind == "helm":
            descriptor["mediaType"] = HELM
        if kind == "inline":
            descriptor["data"] = base64.b64encode(config).decode()
        elif kind != "lost_config":
            self.blobs[repository, descriptor["digest"]] = config
        manifest = {
            "schemaVersion": 2, "mediaType": media_type, "config": descriptor,
            "layers": [{"mediaType": DOCKER_LAYER if docker else OCI_LAYER,
                        "digest": digest_of(tag.encode()), "size": 4711}]}
        if not docker:
            manifest["annotations"] = {"tag": tag, "kind": kind, **options.get("annotations", {})}
        if kind == "no_type":
            del manifest["mediaType"]
        if kind == "wrong_type":
            manifest["mediaType"] = OCI_INDEX
        if kind == "both":
            manifest["manifests"] = []
        size = (5 << 20) if kind == "huge" else options.get("size")
        if "filler" in options:
            return self.store(repository, media_type, filled(manifest, size, options["filler"]))
        body = padded(manifest, size, manifest.setdefault("annotations", {})) if size else encode(
            manifest)
        return self._spoilt(repository, tag, kind, media_type, body)

    def _spoilt(self, repository, tag, kind, media_type, body):
        if kind == "nul":
            body = body.replace(b'"kind":"nul"', b'"kind":"a\\u0000b"')
        elif kind == "utf8":
            body = body.replace(b'"kind":"utf8"', b'"kind":"\xff\xfe"')
        elif kind == "not_json":
            body = b"<html>" + tag.encode() + b"</html>"
        elif kind == "deep":
            body = b'{"a":' * 3000 + b"1" + b"}" * 3000
        elif kind == "schema1":
            body = encode({"schemaVersion": 1, "name": repository, "tag": tag, "fsLayers": []})
            media_type = SCHEMA1
        elif kind == "wrong_digest":
            return self.store(repository, media_type, body, digest_of(body + b"not this"))
        return self.store(repository, media_type, body)

    def _index(self, repository, tag, options, kind):
        platforms = options.get("platforms", ["linux/amd64", "linux/arm64"])
        child_kind = "docker" if kind == "docker_list" else ""
        children = []
        for platform in platforms:
            child = self._single(repository, tag, options, child_kind, platform)
            os_name, architecture, *variant = platform.split("/")
            named = {"os": os_name, "architecture": architecture}
            if variant:
                named["variant"] = variant[0]
            children.append(child.descriptor(platform=named))
        media_type = DOCKER_LIST if kind == "docker_list" else OCI_INDEX
        if kind == "attested":
            children.append(self._attestation(repository, children[0]))
        if kind == "sparse":
            del self.manifests[repository, children[-1]["digest"]]
        if kind == "cycle":
            own = digest_of(f"{repository}:{tag} names itself".encode())
            children.append({"mediaType": OCI_INDEX, "digest": own, "size": 500})
            return self.store(repository, media_type, self._index_body(media_type, children, tag), own)
        for _ in range({"nested": 1, "too_deep": 6}.get(kind, 0)):
            inner = self.store(repository, OCI_INDEX, self._index_body(OCI_INDEX, children, tag))
            children = [inner.descriptor()]
        return self.store(repository, media_type, self._index_body(media_type, children, tag, options))

    @staticmethod
    def _index_body(media_type, children, tag, options=None):
        value = {"schemaVersion": 2, "mediaType": media_type, "manifests": children}
        if media_type == OCI_INDEX:
            value["annotations"] = {"tag": tag, **(options or {}).get("annotations", {})}
        size = None if "filler" in (options or {}) else (options or {}).get("size")
        return padded(value, size, value.setdefault("annotations", {})) if size else encode(value)

    def _attestation(self, repository, subject):
        statement = encode({"_type": "https://in-toto.io/Statement/v0.1", "subject": []})
        body = encode({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                       "config": {"mediaType": OCI_CONFIG, "size": 2,
                                  "digest": self._blob(repository, b"{}")},
                       "layers": [{"mediaType": IN_TOTO, "size": len(statement),
                                   "digest": self._blob(repository, statement)}]})
        return self.store(repository, OCI_MANIFEST, body).descriptor(
            platform={"os": "unknown", "architecture": "unknown"},
            annotations={"vnd.docker.reference.type": "attestation-manifest",
                         "vnd.docker.reference.digest": subject["digest"]})

    def _attach(self, repository, subject, kind, number):
        body = encode({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind,
                       "config": {"mediaType": OCI_EMPTY, "size": 2,
                                  "digest": self._blob(repository, b"{}")},
                       "layers": [], "subject": subject.descriptor(),
                       "annotations": {"number": str(number)}})
        descriptor = self.store(repository, OCI_MANIFEST, body).descriptor(artifactType=kind)
        self.attached.setdefault((repository, subject.digest), []).append(descriptor)

    def _signature(self, repository, subject):
        body = encode({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                       "config": {"mediaType": OCI_CONFIG, "size": 2,
                                  "digest": self._blob(repository, b"{}")},
                       "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                                   "digest": digest_of(subject.body + b"signed"), "size": 250}]})
        return self.store(repository, OCI_MANIFEST, body)
