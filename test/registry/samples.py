#!/usr/bin/env python3
"""Pushes sample images that look like the field's to a registry: EDB and CloudNativePG Postgres
images, AI models in six packagings, a Helm chart, and a signature and an SBOM beside an image.

Prints `repository:tag digest` for each tag. The same call always pushes the same digests.
  --only PATTERN            only the samples whose `repository:tag` matches (`*` and `?`), what is
                            attached to them included
  --move REPOSITORY TAG     instead, pushes the next rebuild of a sample to its tag
  --delete REPOSITORY TAG   instead, deletes what the tag points to
"""

import argparse
import base64
import fnmatch
import sys

import model_samples as models
import oci
import postgres_samples as postgres

SIGNED = ("postgresql", "17.4-2503310734")


def sample_catalogue():
    """{(repository, tag): function(rebuild) -> Artifact}"""
    catalogue = {}

    def add(repository, tag, recipe, *arguments, **more):
        catalogue[repository, tag] = lambda rebuild: recipe(*arguments, rebuild=rebuild, **more)

    for tag in ("17.4-2503310734", "17.4-2503191025", "18.3-2605132051"):
        add("postgresql", tag, postgres.edb_single, "postgresql", tag, "PostgreSQL", "pg")
    add("postgresql", "16.8-2503191025", postgres.edb_single, "postgresql", "16.8-2503191025",
        "PostgreSQL", "pg", docker=True)
    operands = (
        ("postgresql", "PostgreSQL", "pg", "psr", ("17.4-2503310734-full",)),
        ("edb-postgres-advanced", "EDB Postgres Advanced Server", "epas", "psr,pgd,analytics,tde",
         ("17.4-2503191025", "18.3-2605132051-full")),
        ("edb-postgres-extended", "EDB Postgres Extended Server", "pgextended", "psr,pgd,tde",
         ("17.4-2503191025", "18.3-2605132051-full")),
    )
    for repository, title, flavor, features, tags in operands:
        for tag in tags:
            add(repository, tag, postgres.edb_operand, repository, tag, title, flavor, features)
    add("cloudnative-pg/postgresql", "18.6-202608170814-minimal-trixie", postgres.cnpg_server,
        "18.6-202608170814-minimal-trixie")
    add("cloudnative-pg/pgvector", "0.8.6-202608201414-18-trixie", postgres.cnpg_extension,
        "pgvector", "0.8.6-202608201414-18-trixie")

    # Its task and GPUs are in no label, as with NVIDIA's own images.
    add("nim/nvidia/llama-3.3-nemotron-super-49b-v1", "1.8.5", models.nim,
        "nvidia/llama-3.3-nemotron-super-49b-v1", "1.8.5", None, None, None,
        "2025-05-30T16:40:00Z", (29 * models.MIB, 11 * models.GIB))
    add("nim/meta/llama-3.1-8b-instruct", "1.3.3", models.nim, "meta/llama-3.1-8b-instruct",
        "1.3.3", "text-generation",
        ("tensorrt_llm-h100-fp8-tp1-pp1-throughput", "vllm-bf16-tp1-pp1-lora"), 1,
        "2024-11-19T09:12:00Z", (29 * models.MIB, 6 * models.GIB))
    add("models/qwen2.5-7b-instruct", "1.0.0", models.modelpack)
    add("models/phi-4-mini", "2.1.0", models.kitops)
    add("models/smollm2", "360M-Q4_K_M", models.docker_model)
    add("models/llama3.2", "3b", models.ollama)
    add("charts/postgres", "16.5.0", helm_chart)
    return catalogue


def helm_chart(rebuild):
    """A Helm chart (helm.sh/docs/topics/registries): no image, but in the registry beside them."""
    config = {"name": "postgres", "version": "16.5.0", "apiVersion": "v2", "appVersion": "17.4",
              "description": "PostgreSQL on Kubernetes", "type": "application"}
    chart, _ = oci.file_layer("postgres/Chart.yaml",
                              f"name: postgres\nversion: 16.5.0\n# build {rebuild}\n",
                              "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    return oci.manifest(
        oci.Blob("application/vnd.cncf.helm.config.v1+json", oci.encode(config)), [chart],
        {"org.opencontainers.image.title": "postgres",
         "org.opencontainers.image.version": "16.5.0"})


def cosign_signature(host, repository, subject):
    """What cosign stores at tag `sha256-<hex>.sig`. The signature itself is filler: nobody holds
    its key."""
    payload = oci.encode({
        "critical": {
            "identity": {"docker-reference": f"{host}/{repository}"},
            "image": {"docker-manifest-digest": subject.digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    })
    filler = base64.b64encode(oci.digest_of(payload).encode()).decode()
    layer = oci.Blob("application/vnd.dev.cosign.simplesigning.v1+json", payload,
                     {"dev.cosignproject.cosign/signature": filler})
    config = {"architecture": "", "os": "", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [oci.digest_of(payload)]}}
    return oci.manifest(oci.Blob(oci.OCI_CONFIG, oci.encode(config)), [layer])


def referrers_index(repository, subject):
    """The index at the referrers tag `sha256-<hex>` (distribution-spec, "Referrers Tag Schema"),
    with one SBOM."""
    kind = "application/spdx+json"
    document = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": repository,
                "documentNamespace": f"https://example.org/spdx/{subject.digest}", "packages": []}
    annotations = {"org.opencontainers.image.created": "2025-03-31T08:00:00Z"}
    sbom = oci.manifest(oci.Blob(oci.OCI_EMPTY, b"{}"), [oci.Blob(kind, oci.encode(document))],
                        annotations, artifact_type=kind, subject=subject)
    return oci.index([(sbom, {"artifactType": kind, "annotations": annotations})])


def chosen(catalogue, patterns):
    """The samples that one of the patterns takes; an error for a pattern that takes none."""
    taken = set()
    for pattern in patterns:
        matches = {key for key in catalogue if fnmatch.fnmatchcase(":".join(key), pattern)}
        if not matches:
            raise oci.RegistryError(f"no sample matches {pattern}")
        taken |= matches
    return {key: recipe for key, recipe in catalogue.items() if key in taken}


def push_samples(registry, patterns):
    catalogue = chosen(sample_catalogue(), patterns)
    for (repository, tag), recipe in catalogue.items():
        push(registry, repository, tag, recipe(0))
    if SIGNED in catalogue:
        push_attached(registry, SIGNED[0], catalogue[SIGNED](0))


def push_attached(registry, repository, subject):
    """A signature and an SBOM at the tags that name the subject's digest."""
    attached = subject.digest.replace(":", "-")
    push(registry, repository, attached + ".sig",
         cosign_signature("registry.example.org", repository, subject))
    push(registry, repository, attached, referrers_index(repository, subject))


def push(registry, repository, tag, artifact):
    registry.push(repository, tag, artifact)
    print(f"{repository}:{tag} {artifact.digest}")


def move(registry, repository, tag):
    """Pushes the rebuild after the one that the registry has."""
    recipe = sample_catalogue().get((repository, tag))
    if recipe is None:
        raise oci.RegistryError(f"{repository}:{tag} is no sample")
    current = registry.digest(repository, tag)
    rebuild = 0
    while current is not None and recipe(rebuild).digest != current:
        rebuild += 1
        if rebuild > 1000:
            raise oci.RegistryError(f"{repository}:{tag} is not what was pushed there as a sample")
    push(registry, repository, tag, recipe(rebuild + 1))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="http[s]://host[:port]")
    parser.add_argument("--ca", metavar="FILE", help="PEM bundle to verify the registry by")
    parser.add_argument("--user", metavar="NAME:PASSWORD")
    parser.add_argument("--certificate", metavar="FILE", help="PEM of the client's certificate")
    parser.add_argument("--key", metavar="FILE", help="PEM of the client's key")
    parser.add_argument("--only", action="append", metavar="PATTERN")
    parser.add_argument("--move", nargs=2, metavar=("REPOSITORY", "TAG"))
    parser.add_argument("--delete", nargs=2, metavar=("REPOSITORY", "TAG"))
    options = parser.parse_args()
    try:
        certificate = (options.certificate, options.key) if options.certificate else None
        registry = oci.Registry(options.url, options.ca, options.user, certificate)
        if options.move:
            move(registry, *options.move)
        elif options.delete:
            repository, tag = options.delete
            print(f"{repository}:{tag} {registry.delete(repository, tag)} deleted")
        else:
            push_samples(registry, options.only or ["*"])
    except (oci.RegistryError, OSError) as error:
        sys.exit(f"samples.py: {error}")


if __name__ == "__main__":
    main()
