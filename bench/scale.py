#!/usr/bin/env python3
"""Prints the tables of doc/scale.md from bench/results/sync.json and read.json.

    bench/scale.py [--base | --costs]
"""
import json
import pathlib
import statistics
import sys

RESULTS = pathlib.Path(__file__).with_name("results")
SIZES = (1_000_000, 10_000_000, 100_000_000)
TAGS_A_REPOSITORY = 100
# Not measured: what a request and its answer have besides the body, and a name in a list of tags.
HEADERS = 700
LISTED_TAG = 12
# What bench/layout.py generates, mean bytes.
MANIFEST, CONFIG = 1649, 1895


def base():
    """Name of each base figure: its value and how it is written."""
    sync = json.loads((RESULTS / "sync.json").read_text())
    read = json.loads((RESULTS / "read.json").read_text())
    largest = max(read, key=int)

    def median(registry, name):
        return statistics.median(r[name] for r in sync["rounds"][registry])

    per_repository = sync["images"]["nginx"] / sync["repositories"]["nginx"]
    return {
        "new": (median("nginx", "full sync: requests an image"), "requests a new image", "{:.2f}"),
        "same": (median("nginx", "unchanged sync: requests a repository") / per_repository, "requests an unchanged tag that may move", "{:.2f}"),
        "sync_fast": (median("nginx", "full sync"), "new images a second, from nginx", "{:,.0f}"),
        "sync_registry": (median("docker-registry", "full sync"), "new images a second, from docker-registry", "{:,.0f}"),
        "sweep_fast": (median("nginx", "unchanged sync"), "unchanged tags a second, from nginx", "{:,.0f}"),
        "sweep_registry": (median("docker-registry", "unchanged sync"), "unchanged tags a second, from docker-registry", "{:,.0f}"),
        "body": (MANIFEST + CONFIG, "bytes of manifest and config of a new image", "{:,.0f}"),
        "wal": (median("nginx", "full sync: WAL an image, bytes"), "bytes of WAL a new image", "{:,.0f}"),
        "copy_wal": (median("nginx", "COPY: WAL an image, bytes"), "bytes of WAL of the same rows by COPY", "{:,.0f}"),
        "memory": (median("nginx", "full sync: private memory, MiB"), "MiB of private memory of a sync", "{:.0f}"),
        "table": (read[largest]["table bytes"] / int(largest), f"bytes of tables a tag (bench/read, {int(largest):,} tags)", "{:,.0f}"),
        "index": (read[largest]["index bytes"] / int(largest), f"bytes of indexes a tag (bench/read, {int(largest):,} tags)", "{:,.0f}"),
    }


def duration(seconds):
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def size(value):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:,.3g} {unit}"
        value /= 1000


def costs(figure):
    """Name, formula and the value for a number of tags; r stands for requests that lists take."""
    f = {name: value for name, (value, _, _) in figure.items()}
    lists = lambda n: n / TAGS_A_REPOSITORY
    return [
        ("first sync: requests", "n x new", lambda n: f"{n * f['new']:,.0f}"),
        ("time, from nginx", "n / sync_fast", lambda n: duration(n / f["sync_fast"])),
        ("time, from docker-registry", "n / sync_registry", lambda n: duration(n / f["sync_registry"])),
        ("time at 100 requests a second", "n x new / 100", lambda n: duration(n * f["new"] / 100)),
        ("bytes on the wire", f"n x (body + new x {HEADERS})", lambda n: size(n * (f["body"] + f["new"] * HEADERS))),
        ("WAL", "n x wal", lambda n: size(n * f["wal"])),
        ("disk", "n x (table + index)", lambda n: size(n * (f["table"] + f["index"]))),
        ("sweep, tags that may move: requests", "n x same", lambda n: f"{n * f['same']:,.0f}"),
        ("time, from nginx", "n / sweep_fast", lambda n: duration(n / f["sweep_fast"])),
        ("time, from docker-registry", "n / sweep_registry", lambda n: duration(n / f["sweep_registry"])),
        ("time at 100 requests a second", "n x same / 100", lambda n: duration(n * f["same"] / 100)),
        ("bytes on the wire", f"n x (same x {HEADERS} + {LISTED_TAG})", lambda n: size(n * (f["same"] * HEADERS + LISTED_TAG))),
        ("sweep, `immutable_tags`: requests", f"n / {TAGS_A_REPOSITORY}", lambda n: f"{lists(n):,.0f}"),
        ("time at 100 requests a second", f"n / {TAGS_A_REPOSITORY} / 100", lambda n: duration(lists(n) / 100)),
        ("bytes on the wire", f"n / {TAGS_A_REPOSITORY} x {HEADERS} + n x {LISTED_TAG}", lambda n: size(lists(n) * HEADERS + n * LISTED_TAG)),
        ("a day with 1 % new images: requests", "n / 100 x new", lambda n: f"{n / 100 * f['new']:,.0f}"),
        ("WAL", "n / 100 x wal", lambda n: size(n / 100 * f["wal"])),
        ("memory of a sync, MiB", "memory", lambda n: f"{f['memory']:.0f}"),
    ]


def main():
    figure = base()
    if sys.argv[1:] != ["--costs"]:
        print("| figure | value | what it is |\n|---|---:|---|")
        for name, (value, text, form) in figure.items():
            print(f"| {name} | {form.format(value)} | {text} |")
        print()
    if sys.argv[1:] != ["--base"]:
        print("| cost | formula | " + " | ".join(f"{n:,} tags" for n in SIZES) + " |\n|---|---|" + "---:|" * len(SIZES))
        for name, formula, value in costs(figure):
            print(f"| {name} | {formula} | " + " | ".join(value(n) for n in SIZES) + " |")


if __name__ == "__main__":
    main()
