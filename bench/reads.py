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
    "deep page of images": "SELECT registry, repository, tag, digest, approval FROM image_library.images "
                           "WHERE repository >= 'team50' AND (repository, tag) > ('team50', '') ORDER BY repository, tag LIMIT 50",
    "deep page of pending_images": "SELECT registry, repository, tag, digest, why FROM image_library.pending_images "
                                   "WHERE repository >= 'team50' AND (repository, tag) > ('team50', '') ORDER BY repository, tag LIMIT 50",
    "rejected images": "SELECT registry, repository, tag, digest, approval FROM image_library.images WHERE approval = 'rejected' "
                       "ORDER BY repository, tag LIMIT 50",
    "ending_approvals": "SELECT * FROM image_library.ending_approvals",
    "newest of a major": "SELECT image_library.latest_postgres('postgresql', 17, 'standard', registry => '{registry}', repository => '{repository}')",
    "newest, ambiguous": "SELECT public.newest_or_error('postgresql', 17, 'standard')",
    "postgres_latest of a repository": "SELECT registry, repository, major_version, tag FROM image_library.postgres_latest "
                                       "WHERE registry = '{registry}' AND repository = '{repository}'",
    "postgres_latest": "SELECT registry, repository, major_version, tag FROM image_library.postgres_latest ORDER BY registry, repository, major_version LIMIT 50",
    "search: a repository": "SELECT * FROM image_library.search_images('{name}')",
    "search: a common word": "SELECT * FROM image_library.search_images('postgresql')",
    "search: not in names": "SELECT * FROM image_library.search_images('bookworm')",
    "search: two letters": "SELECT * FROM image_library.search_images('qz')",
    "search: nothing found": "SELECT * FROM image_library.search_images('unheard-of')",
    "sync_status": "SELECT * FROM image_library.sync_status",
    "library_stats": "SELECT * FROM image_library.library_stats",
}
PREPARED = ("lookup", "page of pending_images")  # also without the time to plan them
# What waits for a decision in a repository; each of these is approved in a transaction of its own.
PENDING = "SELECT reference FROM image_library.pending_images WHERE registry = '{registry}' AND repository = '{pending}' ORDER BY tag LIMIT {count}"
FIRST = 2  # runs that fill caches


def times(server, role, statement, count, prepared=False):
    """Milliseconds of each run but the first ones, which fill caches and make a prepared plan; None: no answer within the
    limit. A list of statements: each is run once."""
    first = 6 if prepared else FIRST
    script = f"SET ROLE {role};\nSET statement_timeout = '{LIMIT}';\n"
    if prepared:
        script += f"PREPARE read AS {statement};\n"
        statement = "EXECUTE read"
    statements = statement if isinstance(statement, list) else [statement] * (count + first)
    script += "\\timing on\n" + "".join(f"{one};\n" for one in statements)
    try:
        output = server.sql(script)
    except SystemExit as error:
        if "statement timeout" in str(error):
            return None
        raise
    return [float(value) for value in re.findall(r"^Time: ([0-9.]+) ms", output, re.MULTILINE)][first:]


def buffers(server, role, statement):
    """Pages of 8 kB that the statement looks at, which does not depend on what else the machine does."""
    output = server.sql(f"SET ROLE {role};\nSET statement_timeout = '{LIMIT}';\n{statement};\n\\echo PLAN\n"
                        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement};\n")
    plan = json.loads(output.rsplit("PLAN\n", 1)[1])[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def load(server, tags):
    repositories = max(20, min(10000, tags // 100))
    server.fresh_database()
    server.sql("DROP ROLE IF EXISTS bench_reader; DROP ROLE IF EXISTS bench_curator", "postgres")
    server.sql(f"\\set tags {tags}\n\\set repositories {repositories}\n" + pathlib.Path(__file__).with_name("load.sql").read_text())


def measure(server, count):
    sample = json.loads(server.sql("""
      SELECT row_to_json(s) FROM (
        SELECT r.registry, r.repository, r.place, e.tag, split_part(r.repository, '/', 2) AS name,
               (SELECT x.repository FROM image_library_internal.full_repository x
                WHERE x.registry = r.registry AND x.repository <> r.repository LIMIT 1) AS pending
        FROM image_library_internal.entry e JOIN image_library_internal.full_repository r USING (repository_id)
        WHERE e.kind = 'postgres' AND e.approval = 'approved' AND e.major_version = 17 AND r.registry = 'registry2'
        ORDER BY r.repository DESC LIMIT 1) s"""))
    figures = {}

    def run(name, statement, role, prepared=False):
        milliseconds = times(server, role, statement, count, prepared)
        figures[name] = {"milliseconds": milliseconds,
                         "buffers": buffers(server, role, statement) if milliseconds and name in READS else None}
        print(f"  {name:<40} {shown(figures[name])}", flush=True)

    for name, statement in READS.items():
        run(name, statement.format(**sample), "bench_reader")
        if name in PREPARED:
            run(f"{name}, prepared", statement.format(**sample), "bench_reader", prepared=True)
    pending = server.sql(f"SET ROLE bench_curator; {PENDING.format(count=count + FIRST, **sample)}").split()
    run("one-row commit", "INSERT INTO public.one_row VALUES (1)", "bench_curator")
    run("approve an image", [f"SELECT image_library.approve('{reference}')" for reference in pending], "bench_curator")
    disk = server.sql("SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class"
                      " WHERE relnamespace = 'image_library_internal'::regnamespace AND relkind = 'r'")
    tables, indexes = map(int, disk.split("|"))
    return {"reads": figures, "table bytes": tables, "index bytes": indexes}


def shown(figure):
    if not figure["milliseconds"]:
        return f"over {LIMIT}"
    pages = "" if figure["buffers"] is None else f" ({figure['buffers']:,})"
    return f"{statistics.median(figure['milliseconds']):,.2f} / {min(figure['milliseconds']):,.2f}{pages}"


def table(measured):
    sizes = list(measured)
    lines = ["| median / lowest ms (pages of 8 kB looked at) | " + " | ".join(f"{int(size):,} tags" for size in sizes) + " |",
             "|---|" + "---:|" * len(sizes)]
    for name in measured[sizes[0]]["reads"]:
        lines.append(f"| {name} | " + " | ".join(shown(measured[size]["reads"][name]) for size in sizes) + " |")
    lines += ["", "| disk, bytes a tag | " + " | ".join(f"{int(size):,} tags" for size in sizes) + " |", "|---|" + "---:|" * len(sizes)]
    for part in ("table bytes", "index bytes"):
        lines.append(f"| {part} | " + " | ".join(f"{measured[size][part] / int(size):,.0f}" for size in sizes) + " |")
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
            load(server, tags)
            measured[tags] = measure(server, options.times)
    finally:
        server.stop()
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "read.md").write_text(table(measured))
    # A list on one line.
    text = re.sub(r"\[\s+([^]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", json.dumps(measured, indent=1))
    (options.results / "read.json").write_text(text + "\n")
    print(table(measured))


if __name__ == "__main__":
    main()
