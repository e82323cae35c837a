#!/usr/bin/env python3
"""Times syncs beside the registries' limits and other clients; every contender once a round.

    sync.py FOLDER [--repositories N] [--tags N] [--rounds N] [--slow-images N] [--results FOLDER]
"""
import argparse
import json
import pathlib
import resource
import subprocess
import time

import layout
import report
import servers

CONNECTIONS = 64
WORKERS = 16
SKOPEO_IMAGES = 40


class Images:
    """The first images of the layout, as the clients take them."""

    def __init__(self, folder, name, count):
        lines = (folder / "images.tsv").read_text().splitlines()[:count]
        self.rows = [line.split("\t") for line in lines]
        self.repositories = sorted({row[0] for row in self.rows})
        self.list_file = folder / f"{name}.images"
        self.list_file.write_text("".join(f"{row[0]}\t{row[1]}\n" for row in self.rows))
        self.url_file = folder / f"{name}.urls"
        self.url_file.write_text("".join(f"/v2/{repository}/manifests/{tag}\n/v2/{repository}/blobs/{config}\n"
                                         for repository, tag, config in self.rows))


class Syncs:
    """A full and an unchanged sync of a registry in a fresh database, and COPY of the same rows."""

    # The tables that a sync of plain images fills, in the order of their references; triggers fill those with the counts.
    TABLES = ("registry", "rule", "repository", "listing", "settled_repository", "image", "image_platform", "image_chain", "tag",
              "tag_period", "entry", "image_extension", "repository_text", "search_word", "event")

    def __init__(self, server, folder):
        self._server = server
        self._folder = folder

    def measure(self, registry, images):
        server = self._server
        server.fresh_database()
        server.sql(f"""SELECT image_library.add_registry('bench', 'http://127.0.0.1:{registry.port}', max_connections => {CONNECTIONS},
                         allow_private => true);
                       SELECT image_library.add_rule('bench', r) FROM unnest('{{{",".join(images.repositories)}}}'::text[]) r;""")
        before = registry.cpu_seconds()
        full = self.sync()
        served = registry.cpu_seconds() - before
        unchanged = self.sync()
        count = len(images.rows)
        if int(full["images_added"]) != count:
            raise SystemExit(f"{registry.name}: {full['images_added']} of {count} images: {full}")
        return {
            "full sync": count / full["wall"],
            "unchanged sync": count / unchanged["wall"],
            "store": count / full["store"],
            "full sync: requests an image": full["requests"] / count,
            "full sync: processor time of the session, us an image": full["cpu"] / count * 1e6,
            "full sync: processor time of the registry, us an image": served / count * 1e6,
            "full sync: private memory, MiB": full["memory"],
            "full sync: WAL an image, bytes": full["wal"] / count,
            "unchanged sync: requests a repository": unchanged["requests"] / len(images.repositories),
            "unchanged sync: rows written": self.rows_written(),
        }

    def copy(self, count):
        """COPY of the rows that the last sync wrote into empty tables with the same indexes."""
        server = self._server
        for table in self.TABLES:
            # Triggers write the events of registries and rules.
            rows = "(SELECT * FROM image_library_internal.event WHERE tag IS NOT NULL)" if table == "event" else f"image_library_internal.{table}"
            server.sql(f"COPY {rows} TO '{self._folder}/{table}.copy'")
        server.fresh_database()
        # The foreign keys are those of the tables; they are checked as in a sync.
        before = server.sql("CHECKPOINT; SELECT pg_current_wal_lsn()")
        start = time.monotonic()
        server.sql("BEGIN;" + "".join(f"COPY image_library_internal.{table} FROM '{self._folder}/{table}.copy';"
                                      for table in self.TABLES) + "COMMIT")
        seconds = time.monotonic() - start
        wal = float(server.sql(f"SELECT pg_current_wal_lsn() - '{before}'"))
        return {"COPY of the same rows": count / seconds, "COPY: WAL an image, bytes": wal / count}

    def sync(self):
        """A sync in a session of its own: its row of sync_run, wall, processor and time in functions in seconds, WAL
        in bytes, and the peak of its private memory in MiB."""
        server = self._server
        before = server.sql("CHECKPOINT; SELECT pg_stat_reset(); SELECT pg_current_wal_lsn()").split()[-1]
        session = server.session()
        session.stdin.write("SELECT pg_backend_pid();\n")
        session.stdin.flush()
        pid = session.stdout.readline().strip()
        start = time.monotonic()
        session.stdin.write("CALL image_library.sync('bench');\n")
        session.stdin.close()
        peak = cpu = 0
        while session.poll() is None:
            peak = max(peak, private_memory(pid))
            cpu = max(cpu, servers.cpu_seconds(pid))
            time.sleep(0.01)
        wall = time.monotonic() - start
        row = json.loads(server.sql("SELECT row_to_json(r) FROM (SELECT *, extract(epoch FROM finished_at - started_at) AS seconds "
                                    "FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1) r"))
        row["wall"] = wall
        row["memory"] = peak
        row["cpu"] = cpu
        row["wal"] = float(server.sql(f"SELECT pg_current_wal_lsn() - '{before}'"))
        row["store"] = float(server.sql("SELECT sum(self_time) / 1000 FROM pg_stat_user_functions "
                                        "WHERE schemaname = 'image_library_internal'"))
        return row

    # Since the last sync began.
    def rows_written(self):
        return int(self._server.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables "
                                    "WHERE schemaname = 'image_library_internal' AND relname <> 'run'"))


def private_memory(pid):
    """Private memory of a process in MiB; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return max((int(line.split()[1]) for line in status if line.startswith("RssAnon")), default=0) / 1024
    except OSError:
        return 0


def children_seconds():
    """Processor time of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def client(folder, name, registry, *arguments):
    done = subprocess.run([folder / "clients" / name, str(registry.port), *map(str, arguments)], check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def skopeo(registry, images):
    rows = images.rows[:SKOPEO_IMAGES]
    start = time.monotonic()
    for repository, tag, _ in rows:
        subprocess.run(["skopeo", "inspect", "--no-tags", "--tls-verify=false",
                        f"docker://127.0.0.1:{registry.port}/{repository}:{tag}"], check=True, stdout=subprocess.DEVNULL)
    return len(rows) / (time.monotonic() - start)


def round_of(folder, syncs, registry, images):
    """Every contender once: its name and its figure, images a second unless the name says else."""
    clients, served = children_seconds(), registry.cpu_seconds()
    limit = client(folder, "raw_limit", registry, images.url_file, CONNECTIONS) / 2
    figures = {
        "raw limit": limit,
        "raw limit: processor time of the client, us an image": (children_seconds() - clients) / len(images.rows) * 1e6,
        "raw limit: processor time of the registry, us an image": (registry.cpu_seconds() - served) / len(images.rows) * 1e6,
        "full read, nothing stored": client(folder, "full_read", registry, images.list_file, CONNECTIONS),
        "Go net/http": client(folder, "net_http", registry, images.list_file, WORKERS),
        "containers/image": client(folder, "containers_image", registry, images.list_file, WORKERS),
        "skopeo inspect": skopeo(registry, images),
    }
    figures.update(syncs.measure(registry, images))
    figures.update(syncs.copy(len(images.rows)))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--tags", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-images", type=int, default=5000)
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results"))
    options = parser.parse_args()

    layout.generate(options.folder, options.repositories, options.tags)
    total = options.repositories * options.tags
    started = []
    try:
        fast, slow = servers.nginx(options.folder), servers.docker_registry(options.folder)
        server = servers.Server(options.folder)
        started += [fast, slow, server]
        syncs = Syncs(server, options.folder)
        # Whole repositories, since a sync takes all tags of a repository.
        some = max(1, min(options.slow_images, total) // options.tags) * options.tags
        contests = [(fast, Images(options.folder, "all", total)), (slow, Images(options.folder, "some", some))]
        rounds = {registry.name: [] for registry, _ in contests}
        for number in range(options.rounds):
            for registry, images in contests:
                print(f"== round {number + 1} of {options.rounds}: {registry.name}", flush=True)
                rounds[registry.name].append(round_of(options.folder, syncs, registry, images))
        report.write(options.results, {
            "images": {registry.name: len(images.rows) for registry, images in contests},
            "repositories": {registry.name: len(images.repositories) for registry, images in contests},
            "rounds": rounds,
        })
    finally:
        for server in reversed(started):
            server.stop()


if __name__ == "__main__":
    main()
