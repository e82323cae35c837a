#!/usr/bin/env python3
"""Times what users read, at several sizes of the library, as a reader who may not see one private registry.

    reads.py FOLDER [--tags 10000,1000000] [--times 15] [--results FOLDER]
"""
import argparse
import json
import pathlib
import re
import statistics

import servers

LIMIT = "120s"  # no answer after this time
READS = {
    "SELECT 1": "SELECT 1",
    "resolve": "SELECT image_library.resolve('{place}:{tag}')",
    "lookup": "SELECT * FROM image_library.images WHERE registry = '{registry}' AND repository = '{repository}' AND tag = '{tag}'",
    "images of a repository": "SELECT * FROM image_library.images WHERE registry = '{registry}' AND repository = '{repository}' ORDER BY tag LIMIT 50",
    "page of images": "SELECT registry, repository, tag, digest, approval FROM image_library.images ORDER BY repository, tag LIMIT 50",
    "page of postgres_images": "SELECT registry, repository, tag, digest, version FROM image_library.postgres_images ORDER BY repository, tag LIMIT 50",
    "page of model_library": "SELECT registry, repository, tag, digest, model FROM image_library.model_library ORDER BY repository, tag LIMIT 50",
    "deep page of postgres_images": "SELECT registry, repository, tag, digest, version FROM image_library.postgres_images "
                                    "WHERE (repository, tag) > ('team50', '') ORDER BY repository, tag LIMIT 50",
    "page of pending_images": "SELECT registry, repository, tag, digest, why FROM image_library.pending_images ORDER BY repository, tag LIMIT 50",
    "newest of a major": "SELECT image_library.latest_postgres('postgresql', 17, 'standard', registry => '{registry}', repository => '{repository}')",
    "postgres_latest": "SELECT registry, repository, major_version, tag FROM image_library.postgres_latest ORDER BY registry, repository, major_version LIMIT 50",
    "search: a repository": "SELECT * FROM image_library.search_images('{name}')",
    "search: a common word": "SELECT * FROM image_library.search_images('postgresql')",
    "search: nothing found": "SELECT * FROM image_library.search_images('unheard-of')",
    "sync_status": "SELECT * FROM image_library.sync_status",
    "library_stats": "SELECT * FROM image_library.library_stats",
}
WRITES = {
    "one-row commit": "INSERT INTO public.one_row VALUES (1)",
    "approve an image": "SELECT image_library.approve(reference) FROM (SELECT reference FROM image_library.pending_images "
                        "WHERE registry = '{registry}' AND repository = '{pending}' LIMIT 1) p",
}


def times(server, role, statement, count):
    """Milliseconds of each run but the first two, which fill caches; None: no answer within the limit."""
    script = f"SET ROLE {role};\nSET statement_timeout = '{LIMIT}';\n\\timing on\n" + f"{statement};\n" * (count + 2)
    try:
        output = server.sql(script)
    except SystemExit as error:
        if "statement timeout" in str(error):
            return None
        raise
    return [float(value) for value in re.findall(r"^Time: ([0-9.]+) ms", output, re.MULTILINE)][2:]


def measure(server, tags, count):
    repositories = max(20, min(10000, tags // 100))
    server.fresh_database()
    server.sql("DROP ROLE IF EXISTS bench_reader; DROP ROLE IF EXISTS bench_curator", "postgres")
    server.sql(f"\\set tags {tags}\n\\set repositories {repositories}\n" + pathlib.Path(__file__).with_name("load.sql").read_text())
    sample = json.loads(server.sql("""
      SELECT row_to_json(s) FROM (
        SELECT r.registry, r.repository, r.place, e.tag, split_part(r.repository, '/', 2) AS name,
               (SELECT x.repository FROM image_library_internal.full_repository x
                WHERE x.registry = r.registry AND x.repository <> r.repository LIMIT 1) AS pending
        FROM image_library_internal.entry e JOIN image_library_internal.full_repository r USING (repository_id)
        WHERE e.kind = 'postgres' AND e.approval = 'approved' AND e.major_version = 17 AND r.registry = 'registry2'
        ORDER BY r.repository DESC LIMIT 1) s"""))
    figures = {}
    for name, statement in (READS | WRITES).items():
        role = "bench_curator" if name in WRITES else "bench_reader"
        figures[name] = times(server, role, statement.format(**sample), count)
        print(f"  {name:<32} " + (f"{statistics.median(figures[name]):10.2f} ms" if figures[name] else f"no answer in {LIMIT}"),
              flush=True)
    return figures


def table(measured):
    sizes = list(measured)
    lines = ["| median ms | " + " | ".join(f"{int(size):,} tags" for size in sizes) + " |", "|---|" + "---:|" * len(sizes)]
    for name in READS | WRITES:
        values = [measured[size][name] for size in sizes]
        lines.append(f"| {name} | " + " | ".join(f"{statistics.median(v):,.2f}" if v else f"over {LIMIT}" for v in values) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tags", default="10000,1000000")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results"))
    options = parser.parse_args()
    server = servers.Server(options.folder)
    try:
        measured = {}
        for tags in map(int, options.tags.split(",")):
            print(f"== {tags:,} tags", flush=True)
            measured[tags] = measure(server, tags, options.times)
    finally:
        server.stop()
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "read.md").write_text(table(measured))
    (options.results / "read.json").write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))


if __name__ == "__main__":
    main()
