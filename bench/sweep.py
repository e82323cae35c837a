#!/usr/bin/env python3
"""Measures syncs that find nothing new: time in the database, private memory, rows read and written.

    sweep.py FOLDER [--tags 5000,1000000] [--repository-tags 100000] [--rounds 3] [--results FOLDER]
"""
import argparse
import json
import pathlib
import statistics

import layout
import servers
import sync

RULES = {"that may move": "false", "that do not move": "true"}
FIGURES = ("seconds", "tags a second", "milliseconds in the database", "private memory, MiB", "rows of tags read", "rows written",
           "requests a tag")


class Library:
    """A registry in which all tags point at one image, and a library that has all of them."""

    def __init__(self, folder):
        self._folder = folder
        self._static = layout.Static(folder / "static")
        manifest, config = layout.Generator(0).image("image", "1.0-0")
        self._digest = layout.digest_of(manifest)
        files = layout.write(folder / "manifest.json", manifest), layout.write(folder / "config.json", config)
        (folder / "digests.map").write_text("")
        self.registry = servers.nginx(folder, f"""
    location ~ /manifests/ {{
      rewrite ^ /manifest.json break; root {folder}; default_type application/vnd.oci.image.manifest.v1+json;
      add_header Docker-Content-Digest {self._digest}; etag off;
    }}
    location ~ /blobs/ {{ rewrite ^ /config.json break; root {folder}; }}
    location ~ /tags/list$ {{ open_file_cache off; }}""")
        self.server = servers.Server(folder)
        self.syncs = sync.Syncs(self.server, folder)

    def stop(self):
        self.server.stop()
        self.registry.stop()

    def fill(self, tags, repository_tags, immutable):
        """As many tags, past the functions but for the first of each repository."""
        size = min(tags, repository_tags)
        repositories = [f"team/image{number:04}" for number in range(tags // size)]
        for repository in repositories:
            self._static.put_tags(repository, [name(0)])
        self.server.fresh_database()
        self.server.sql(f"""SELECT image_library.add_registry('bench', 'http://127.0.0.1:{self.registry.port}',
                              max_connections => {sync.CONNECTIONS}, allow_private => true);
                            SELECT image_library.add_rule('bench', r, immutable_tags => {immutable})
                            FROM unnest('{{{",".join(repositories)}}}'::text[]) r;""")
        self.syncs.sync()
        for repository in repositories:
            self._static.put_tags(repository, [name(number) for number in range(size)])
        self.server.sql(f"""SET session_replication_role = replica;
          -- The referrers of images that are new are asked for again for three days, which is no part of this.
          UPDATE image_library_internal.tag SET digest_changed_at = now() - interval '30 days';
          INSERT INTO image_library_internal.tag (repository_id, registry_id, name, digest, rule_id, kind, first_seen_at, digest_changed_at)
          SELECT repository_id, registry_id, 'v' || lpad(n::text, 7, '0'), digest, rule_id, kind, first_seen_at, digest_changed_at
          FROM image_library_internal.tag, generate_series(1, {size - 1}) n;
          VACUUM ANALYZE image_library_internal.tag;""")
        # This one stores the listings, and finds that all are there.
        row = self.syncs.sync()
        if row["outcome"] != "complete" or row["images_added"]:
            raise SystemExit(f"the library is not filled: {row}")

    def sweep(self, tags):
        row = self.syncs.sync()
        if row["outcome"] != "complete" or row["not_modified"] != tags:
            raise SystemExit(f"not an unchanged sync: {row}")
        read = int(self.server.sql("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables WHERE relid = 'image_library_internal.tag'::regclass"))
        return dict(zip(FIGURES, (row["wall"], tags / row["wall"], 1000 * row["store"], row["memory"], read,
                                  self.syncs.rows_written(), row["requests"] / tags)))


def name(number):
    return f"v{number:07}"


def table(measured):
    sizes = list(next(iter(measured.values())))
    lines = []
    for rule, by_size in measured.items():
        lines += ["", f"Tags {rule}:", "", "| median | " + " | ".join(f"{int(size):,} tags" for size in sizes) + " |",
                  "|---|" + "---:|" * len(sizes)]
        for figure in FIGURES:
            values = [statistics.median(r[figure] for r in by_size[size]) for size in sizes]
            lines.append(f"| {figure} | " + " | ".join(f"{value:,.2f}" if value < 1000 else f"{value:,.0f}" for value in values) + " |")
    return "\n".join(lines).strip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tags", default="5000,1000000")
    parser.add_argument("--repository-tags", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results"))
    options = parser.parse_args()

    library = Library(options.folder)
    measured = {}
    try:
        for rule, immutable in RULES.items():
            for tags in map(int, options.tags.split(",")):
                library.fill(tags, options.repository_tags, immutable)
                rounds = measured.setdefault(rule, {})[str(tags)] = []
                for number in range(options.rounds):
                    rounds.append(library.sweep(tags))
                    print(f"== {tags:,} tags {rule}, round {number + 1} of {options.rounds}: {rounds[-1]}", flush=True)
    finally:
        library.stop()
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "sweep.json").write_text(json.dumps(measured, indent=1) + "\n")
    (options.results / "sweep.md").write_text(table(measured))
    print(table(measured))


if __name__ == "__main__":
    main()
