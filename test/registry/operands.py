"""Pushes EDB's PostgreSQL images, without and with extensions, for tags of its grammar.

    operands.py http://127.0.0.1:5000 postgresql 17.10-2509010101 17.11-2511010101-full
"""

import sys

import oci
import postgres_samples


def main():
    url, repository, *tags = sys.argv[1:]
    registry = oci.Registry(url)
    for tag in tags:
        artifact = postgres_samples.edb_operand(repository, tag, "PostgreSQL", "pg", "psr", rebuild=0)
        registry.push(repository, tag, artifact)
        print(f"{repository}:{tag} {artifact.digest}")


if __name__ == "__main__":
    main()
