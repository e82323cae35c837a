"""Postgres images as EDB and CloudNativePG publish them."""

import base64
import csv
import datetime
import io

import oci

EXTENSIONS = (
    ("aidb", "4.1.0", "AI pipelines and knowledge bases"),
    ("bluefin", "1.2.0", "Append-only tables"),
    ("pg_cron", "1.6.5", "Job scheduler"),
    ("pg_stat_statements", "1.11", "Planning and execution statistics of statements"),
    ("pgaudit", "17.1", "Session and object audit logging"),
    ("pgvector", "0.8.0", "Vector data type, ivfflat and hnsw access methods"),
    ("postgis", "3.5.2", "Geometry, geography, and raster types"),
)
PROVENANCE = "https://slsa.dev/provenance/v0.2"


def created_of(tag, rebuild):
    """RFC 3339 time of a build stamp YYMMDDhhmm or YYYYMMDDhhmm in the tag; a rebuild is an hour
    later than the one before."""
    stamp = next(part for part in tag.split("-") if len(part) in (10, 12) and part.isdigit())
    stamp = stamp if len(stamp) == 12 else "20" + stamp
    time = datetime.datetime.strptime(stamp, "%Y%m%d%H%M") + datetime.timedelta(hours=rebuild)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def extension_list(rows):
    """Value of the annotation org.enterprisedb.pgextensions: base64 of CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "version", "description"))
    writer.writerows(rows)
    return base64.b64encode(text.getvalue().encode()).decode()


def server_files(repository, tag, created, architecture):
    """Layers: what a base image, the server and the build would bring."""
    return [
        ("etc/os-release", f"ID=rhel\nVERSION_ID=9\nARCHITECTURE={architecture}\n"),
        ("usr/pgsql/VERSION", f"{repository} {tag} {architecture}\n"),
        ("etc/build", f"{created}\n"),
    ]


def server_settings(version, labels, user="26"):
    return {
        "User": user,
        "ExposedPorts": {"5432/tcp": {}},
        "Env": [
            "PATH=/usr/pgsql/bin:/usr/local/bin:/usr/bin:/bin",
            f"PG_MAJOR={version.split('.')[0]}",
            f"PG_VERSION={version}",
            "PGDATA=/var/lib/pgsql/data",
        ],
        "Cmd": ["postgres"],
        "Labels": labels,
        "StopSignal": "SIGINT",
    }


def multi_arch(children, annotations=None):
    """An index for amd64 and arm64, with an attestation of each as BuildKit appends them."""
    entries = [(child, oci.platform(architecture)) for architecture, child in children]
    entries += [oci.attestation(child, PROVENANCE) for _, child in children]
    return oci.index(entries, annotations)


def edb_annotations(flavor, version, features, created):
    annotations = {
        "org.enterprisedb.pg.flavor": flavor,
        "org.enterprisedb.pg.major_version": version.split(".")[0],
        "org.opencontainers.image.created": created,
    }
    if features:
        annotations["org.enterprisedb.pg.features"] = features
    return annotations


def edb_labels(title, version, created):
    return {
        "name": title,
        "vendor": "EnterpriseDB",
        "version": version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.version": version,
    }


def edb_operand(repository, tag, title, flavor, features, rebuild):
    """A multi-arch operand image, annotated on index and manifests; `-full` has every
    extension."""
    version = tag.split("-")[0]
    created = created_of(tag, rebuild)
    annotations = edb_annotations(flavor, version, features, created)
    settings = server_settings(version, edb_labels(title, version, created))
    children = [
        (architecture,
         oci.image(server_files(repository, tag, created, architecture), architecture, created,
                   settings, annotations))
        for architecture in ("amd64", "arm64")
    ]
    rows = EXTENSIONS if tag.endswith("-full") else EXTENSIONS[3:6]
    return multi_arch(children, {
        **annotations,
        "org.opencontainers.image.title": title,
        "org.enterprisedb.pgextensions": extension_list(rows),
    })


def edb_single(repository, tag, title, flavor, rebuild, docker=False):
    """An operand image for amd64 only, without extensions; docker: with Docker's media types, which
    have no annotations."""
    version = tag.split("-")[0]
    created = created_of(tag, rebuild)
    return oci.image(
        server_files(repository, tag, created, "amd64"), "amd64", created,
        server_settings(version, edb_labels(title, version, created)),
        None if docker else edb_annotations(flavor, version, "", created), docker)


def cnpg_metadata(title, version, created, base):
    return {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.url": "https://github.com/cloudnative-pg",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.vendor": "The CloudNativePG Contributors",
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.description": f"{title}, for CloudNativePG",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.base.name": base,
    }


def cnpg_server(tag, rebuild):
    """`18.6-202608170814-minimal-trixie`: the same metadata as annotations and as labels."""
    version, _, _, system = tag.split("-")
    created = created_of(tag, rebuild)
    metadata = cnpg_metadata("CloudNativePG PostgreSQL minimal", version, created,
                             f"docker.io/library/debian:{system}-slim")
    children = [
        (architecture,
         oci.image([("etc/debian_version", f"{system} {architecture}\n"),
                    ("usr/lib/postgresql/VERSION", f"{version} {created}\n")],
                   architecture, created, server_settings(version, metadata), metadata))
        for architecture in ("amd64", "arm64")
    ]
    return multi_arch(children, metadata)


def cnpg_extension(name, tag, rebuild):
    """`0.8.6-202608201414-18-trixie`: an extension image, mounted into a server's pods."""
    version, _, major, system = tag.split("-")
    created = created_of(tag, rebuild)
    base = f"ghcr.io/cloudnative-pg/postgresql:{major}-minimal-{system}"
    metadata = {
        **cnpg_metadata(f"{name} for PostgreSQL {major}", version, created, base),
        "io.cloudnativepg.image.base.name": base,
        "io.cloudnativepg.image.base.pgmajor": major,
        "io.cloudnativepg.image.base.os": system,
        "io.cloudnativepg.image.sql.version": version,
    }
    children = [
        (architecture,
         oci.image([(f"share/extension/{name}.control", f"default_version = '{version}'\n"),
                    (f"lib/{name}.so", f"{architecture} {created}\n")],
                   architecture, created, {"Labels": metadata}, metadata))
        for architecture in ("amd64", "arm64")
    ]
    return multi_arch(children, metadata)
