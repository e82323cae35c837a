#!/usr/bin/env python3
"""Signs an image with openssl and pushes the signature as cosign does: in a tag (.sig), or as a
Sigstore bundle that the fallback tag of the referrers API lists. Everything is made here, but for a
--document, which is pushed as it is."""

import argparse
import base64
import json
import subprocess

import oci

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
IN_TOTO = "application/vnd.in-toto+json"


class Subject:
    """An image that is in the registry already."""

    def __init__(self, digest):
        self.digest = digest

    def descriptor(self):
        return {"mediaType": oci.OCI_MANIFEST, "digest": self.digest, "size": 1}


def signature(key, text):
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text,
                            check=True, capture_output=True)
    return base64.b64encode(signed.stdout).decode()


def payload(digest):
    return json.dumps({"critical": {"identity": {"docker-reference": ""},
                                    "image": {"docker-manifest-digest": digest},
                                    "type": "cosign container image signature"},
                       "optional": None}, separators=(",", ":")).encode()


def bundle(key, digest, provenance):
    predicate = {}
    if provenance:
        predicate = {"buildDefinition": {
                         "buildType": "https://example.com/build/v1",
                         "externalParameters": {"source": "git+https://example.com/team/app"},
                         "resolvedDependencies": [{"uri": "git+https://example.com/team/app",
                                                   "digest": {"gitCommit": "0" * 40}}]},
                     "runDetails": {"builder": {"id": "https://example.com/builder@v1"}}}
    algorithm, value = digest.split(":")
    statement = json.dumps({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app", "digest": {algorithm: value}}],
        "predicateType": "https://slsa.dev/provenance/v1" if provenance
                         else "https://sigstore.dev/cosign/sign/v1",
        "predicate": predicate}).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(statement), statement)
    return json.dumps({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "key"}},
        "dsseEnvelope": {"payload": base64.b64encode(statement).decode(), "payloadType": IN_TOTO,
                         "signatures": [{"sig": signature(key, signed)}]}}).encode()


def push_referrer(registry, repository, subject, artifact_type, config, layers):
    """Pushes an artifact and the fallback tag of the referrers API that lists it."""
    artifact = oci.manifest(config, layers, artifact_type=artifact_type, subject=Subject(subject))
    registry.push(repository, subject.replace(":", "-"),
                  oci.index([(artifact, {"artifactType": artifact_type})]))


def push_document(registry, repository, subject, path):
    """A Sigstore bundle, or the JWS of a signature of Notation."""
    with open(path, "rb") as file:
        data = file.read()
    if b'"protected"' in data:
        layer, artifact_type, config = oci.Blob("application/jose+json", data), NOTATION, NOTATION
    else:
        layer, artifact_type, config = oci.Blob(BUNDLE, data), BUNDLE, oci.OCI_EMPTY
    push_referrer(registry, repository, subject, artifact_type, oci.Blob(config, b"{}"), [layer])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="http[s]://host[:port]")
    parser.add_argument("repository")
    parser.add_argument("tag", help="of the image that the signature is listed for")
    parser.add_argument("--key", action="append", default=[], help="file with a private key")
    parser.add_argument("--document", help="file with a signature that has been made")
    parser.add_argument("--of", metavar="DIGEST", help="sign this digest instead")
    parser.add_argument("--altered", action="store_true", help="change a byte after signing")
    parser.add_argument("--copies", type=int, default=1, help="list each signature so often")
    parser.add_argument("--size", type=int, help="claim this size of the layers")
    parser.add_argument("--bundle", action="store_true")
    parser.add_argument("--provenance", action="store_true", help="a bundle with SLSA provenance")
    options = parser.parse_args()
    registry = oci.Registry(options.url)
    subject = registry.digest(options.repository, options.tag)
    if options.document:
        push_document(registry, options.repository, subject, options.document)
        return
    signed = options.of or subject
    layers = []
    for key in options.key:
        annotations = {}
        if options.bundle or options.provenance:
            data = bundle(key, signed, options.provenance)
        else:
            data = payload(signed)
            annotations = {"dev.cosignproject.cosign/signature": signature(key, data)}
        if options.altered:
            data = data.replace(b"cosign container image", b"Cosign container image")
        layer = oci.Blob(BUNDLE if options.bundle or options.provenance else SIMPLE_SIGNING, data,
                         annotations, options.size)
        layers += [layer] * options.copies
    if not (options.bundle or options.provenance):
        config = oci.Blob(oci.OCI_CONFIG, oci.encode({"architecture": "", "os": "", "config": {}}))
        registry.push(options.repository, subject.replace(":", "-") + ".sig",
                      oci.manifest(config, layers))
        return
    push_referrer(registry, options.repository, subject, BUNDLE, oci.Blob(oci.OCI_EMPTY, b"{}"), layers)


if __name__ == "__main__":
    main()
