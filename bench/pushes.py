"""From a push to the row in the library: docker-registry tells the receiver of doc/, which calls handle_webhook.

The time runs from the answer of docker-registry to the PUT of the manifest. A session asks for the tag again and again, every
millisecond. Groups: pushes that come one after the other (the worker of the last one is still there), and pushes with five
seconds between (a worker is started for each).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/registry"))
import oci  # noqa: E402
import plain  # noqa: E402


class Registry:
    """docker-registry with the receiver that it tells of pushes."""

    def __init__(self, folder):
        port, receiver_port = servers.free_port(), servers.free_port()
        secret = folder / "secret"
        secret.write_text("secret of the benchmark")
        environment = dict(os.environ, PGHOST=str(folder), PGDATABASE="bench", PGUSER="hook", PATH=f"{servers.BIN}:{os.environ['PATH']}")
        self._receiver = subprocess.Popen(
            ["python3", "-B", ROOT / "doc/webhook_receiver.py", "--port", str(receiver_port), "--secret-file", secret], env=environment)
        config = folder / "registry.yml"
        config.write_text(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {folder}/storage}}}}
http: {{addr: "127.0.0.1:{port}"}}
notifications:
  endpoints:
    - name: image_library
      url: http://127.0.0.1:{receiver_port}/hub/distribution
      headers: {{Authorization: [Bearer {secret.read_text()}]}}
      timeout: 5s
      threshold: 3
      backoff: 1s
""")
        self._process = servers.Registry(folder, "docker-registry", ["docker-registry", "serve", str(config)])
        self._process.wait(port)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        self._process.stop()
        self._receiver.terminate()
        self._receiver.wait()


class Eye:
    """A session that waits until a tag points at a digest."""

    def __init__(self, server):
        self._session = server.session()

    def wait(self, repository, tag, digest):
        query = (f"SELECT count(*) FROM image_library.images WHERE (registry, repository, tag, digest) = "
                 f"('hub', '{repository}', '{tag}', '{digest}');\n")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self._session.stdin.write(query)
            self._session.stdin.flush()
            if self._session.stdout.readline() == "1\n":
                return
            time.sleep(0.001)
        raise SystemExit(f"{repository}:{tag} did not come")


def measure(name, number, pause, push, eye):
    times = []
    for n in range(number):
        repository, tag = f"team/app{n % 10}", f"{name}-{n}"
        digest = push(repository, tag)
        began = time.monotonic()
        eye.wait(repository, tag, digest)
        times.append(1000 * (time.monotonic() - began))
        time.sleep(pause)
    times.sort()
    return {"pushes": number, "p50_ms": statistics.median(times), "p95_ms": times[int(0.95 * number)], "max_ms": times[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path, required=True)
    parser.add_argument("--pushes", type=int, default=100)
    options = parser.parse_args()
    server = servers.Server(options.folder)
    server.fresh_database()
    server.sql("CREATE ROLE hook LOGIN IN ROLE image_library_webhook")
    registry = Registry(options.folder)
    client = oci.Registry(registry.url)
    count = 0

    def push(repository, tag):
        nonlocal count
        count += 1
        image = plain.image(f"{repository} {tag} {count}")
        client.push(repository, tag, image)
        return image.digest

    try:
        for n in range(10):
            push(f"team/app{n}", "first")
        server.sql("ALTER SYSTEM SET image_library.enabled = on; SELECT pg_reload_conf()".replace("; ", ";\n"))
        server.sql(f"SELECT image_library.add_registry('hub', '{registry.url}', sync_interval => '1 day', allow_private => true);"
                   "SELECT image_library.add_rule('hub', 'team/**')")
        eye = Eye(server)
        eye.wait("team/app9", "first", plain.image("team/app9 first 10").digest)
        time.sleep(5)
        results = {
            "one after the other, 0.2 s between": measure("group", options.pushes, 0.2, push, eye),
            "5 s between": measure("single", max(1, options.pushes // 10), 5, push, eye),
        }
    finally:
        registry.stop()
        server.stop()
    options.results.mkdir(exist_ok=True)
    (options.results / "push.json").write_text(json.dumps(results, indent=1) + "\n")
    lines = ["| pushes | number | p50 ms | p95 ms | max ms |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {name} | {r['pushes']} | {r['p50_ms']:.0f} | {r['p95_ms']:.0f} | {r['max_ms']:.0f} |" for name, r in results.items()]
    (options.results / "push.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
