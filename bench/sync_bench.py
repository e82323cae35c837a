#!/usr/bin/env python3
"""Times a first and a second sync beside the registry's own limit and skopeo.

    sync_bench.py SOCKET_FOLDER REGISTRY_PORT REPOSITORIES TAGS
"""
import http.client
import json
import multiprocessing
import subprocess
import sys
import time

FOLDER, PORT, REPOSITORIES, TAGS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
IMAGES = REPOSITORIES * TAGS
SKOPEO_IMAGES = min(40, IMAGES)
LIMIT_IMAGES = min(1000, IMAGES)
CLIENTS = 4
ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


def psql(sql):
    done = subprocess.run(["psql", "-h", FOLDER, "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1", "bench"],
                          input=sql, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def get(connection, path):
    connection.request("GET", path, headers=ACCEPT)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{path}: {answer.status}")
    return body


def references():
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    found = []
    for repository in json.loads(get(connection, "/v2/_catalog?n=1000"))["repositories"]:
        for tag in json.loads(get(connection, f"/v2/{repository}/tags/list"))["tags"]:
            found.append((repository, tag))
    return found


def fetch(images):
    """Manifest and config of each image over one connection, neither verified nor stored."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    for repository, tag in images:
        manifest = json.loads(get(connection, f"/v2/{repository}/manifests/{tag}"))
        get(connection, f"/v2/{repository}/blobs/{manifest['config']['digest']}")


def registry_limit(images):
    """Images a second that the registry gives to several clients which do nothing else."""
    with multiprocessing.Pool(CLIENTS) as pool:
        pool.map(fetch, [images[:4]] * CLIENTS)
        start = time.monotonic()
        pool.map(fetch, [images[i::CLIENTS] for i in range(CLIENTS)])
        return len(images) / (time.monotonic() - start)


def skopeo(images):
    start = time.monotonic()
    for repository, tag in images:
        subprocess.run(["skopeo", "inspect", "--no-tags", "--tls-verify=false",
                        f"docker://127.0.0.1:{PORT}/{repository}:{tag}"], check=True, stdout=subprocess.DEVNULL)
    return len(images) / (time.monotonic() - start)


def sync():
    """A sync in a session of its own: its run row, and the peak of its private memory in MiB."""
    session = subprocess.Popen(["psql", "-h", FOLDER, "-U", "postgres", "-XAtq", "bench"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    session.stdin.write("SELECT pg_backend_pid();\n")
    session.stdin.flush()
    pid = session.stdout.readline().strip()
    session.stdin.write("CALL image_library.sync('bench');\n")
    session.stdin.close()
    peak = 0
    while session.poll() is None:
        try:
            with open(f"/proc/{pid}/status") as status:
                peak = max(peak, *(int(line.split()[1]) for line in status if line.startswith("RssAnon")))
        except (OSError, TypeError):
            pass
        time.sleep(0.05)
    row = json.loads(psql("SELECT row_to_json(r) FROM (SELECT *, extract(epoch FROM finished_at - started_at) AS seconds "
                          "FROM image_library.sync_run ORDER BY run_id DESC LIMIT 1) r"))
    return row, peak / 1024


def rows_written():
    return int(psql("SELECT pg_stat_force_next_flush(); SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) "
                    "FROM pg_stat_all_tables WHERE schemaname = 'image_library_internal' AND relname <> 'run'").split()[-1])


def show(label, rate, base=None):
    print(f"  {label:<48} {rate:9.1f} images/s" + (f"   {rate / base:7.2f} x" if base else ""))


def main():
    subprocess.run(["createdb", "-h", FOLDER, "-U", "postgres", "bench"], check=True)
    psql(f"""CREATE EXTENSION image_library;
             SELECT image_library.add_registry('bench', 'http://127.0.0.1:{PORT}', allow_private => true);
             SELECT image_library.add_rule('bench', '**');""")
    images = references()
    limit = registry_limit(images[-LIMIT_IMAGES:])
    peer = skopeo(images[:SKOPEO_IMAGES])
    first, memory = sync()
    written = rows_written()
    second, second_memory = sync()
    rewritten = rows_written() - written
    rate = first["images_added"] / first["seconds"]

    print(f"{IMAGES} images: {REPOSITORIES} repositories of {TAGS} tags, manifest and config each")
    show(f"registry's own limit ({CLIENTS} clients, no parsing kept)", limit)
    show("skopeo inspect --no-tags, a process an image", peer)
    show("image_library, first sync, committed", rate)
    print(f"  first sync / registry's limit                    {rate / limit:9.2f}")
    print(f"  first sync / skopeo                              {rate / peer:9.2f}")
    print(f"  first sync: {first['outcome']}, {first['requests']} requests ({first['requests'] / IMAGES:.3f} an image), "
          f"{first['problems']} problems, {first['seconds']:.1f} s, {memory:.1f} MiB of private memory at its peak")
    print(f"  second sync: {second['outcome']}, {second['requests']} requests, {second['bytes']} bytes of bodies, "
          f"{rewritten} rows written, {second['seconds']:.1f} s, {second_memory:.1f} MiB")


if __name__ == "__main__":
    main()
