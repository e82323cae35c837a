"""The servers of the benchmark: docker-registry and nginx over one layout, and a private PostgreSQL."""
import http.client
import os
import pathlib
import resource
import socket
import subprocess
import time

BIN = pathlib.Path(os.environ.get("BENCH_BIN", "/usr/lib/postgresql/15/bin"))


def cpu_seconds(pid):
    """Processor time that a process has taken so far; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            ticks = stat.read().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """A server process that answers the OCI Distribution API on a port of its own."""

    def __init__(self, folder, name, command):
        self.name = name
        self._log = open(folder / f"{name}.log", "w")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._access_log = folder / f"{name}.access"

    def wait(self, port):
        self.port = port
        deadline = time.monotonic() + 30
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/v2/")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start: see {self._log.name}")
            time.sleep(0.1)

    def cpu_seconds(self):
        """Processor time that the server has taken so far, with its workers."""
        pid = self._process.pid
        workers = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(cpu_seconds(one) for one in (pid, *workers))

    def stop(self):
        self._process.terminate()
        self._process.wait()


def docker_registry(folder):
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {folder}/storage}}}}
http: {{addr: "127.0.0.1:{port}"}}
""")
    registry = Registry(folder, "docker-registry", ["docker-registry", "serve", str(config)])
    registry.wait(port)
    return registry


# The answers as files: what a registry behind a fast cache could give.
FILES = """
    location ~ /manifests/ {
      default_type application/vnd.oci.image.manifest.v1+json;
      add_header Docker-Content-Digest $digest;
      etag off;
    }"""


def nginx(folder, locations=FILES):
    """Answers from the files in `static` and from the locations; $digest is what `digests.map` has for a path."""
    port = free_port()
    config = folder / "nginx.conf"
    # Open files are kept, within what the user may have open.
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20000)
    config.write_text(f"""daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/nginx.error warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max={files // 2} inactive=600s;
  map_hash_max_size 1048576; map_hash_bucket_size 256;
  map $uri $digest {{ default ""; include {folder}/digests.map; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/static;
    default_type application/json;
    location = /v2/ {{ return 200 "{{}}"; }}
{locations}
  }}
}}
""")
    registry = Registry(folder, "nginx", ["/usr/sbin/nginx", "-p", str(folder), "-e", f"{folder}/nginx.error",
                                          "-c", str(config)])
    registry.wait(port)
    return registry


class Server:
    """A private PostgreSQL that only listens on a socket in the folder."""

    def __init__(self, folder):
        self._folder = folder
        self._data = folder / "data"
        subprocess.run([BIN / "initdb", "-D", self._data, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust",
                        "-U", "postgres"], check=True, stdout=subprocess.DEVNULL)
        with open(self._data / "postgresql.conf", "a") as config:
            config.write(f"""listen_addresses = ''
unix_socket_directories = '{folder}'
shared_preload_libraries = 'image_library'
image_library.enabled = off
shared_buffers = '1GB'
max_wal_size = '8GB'
track_functions = 'all'
""")
        self._control("start", "-l", folder / "server.log", "-w")

    def _control(self, *arguments):
        subprocess.run([BIN / "pg_ctl", "-D", self._data, "-s", *arguments], check=True)

    def stop(self):
        self._control("stop", "-m", "immediate")

    def _psql(self, database):
        return [BIN / "psql", "-h", self._folder, "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1", database]

    def sql(self, statements, database="bench"):
        done = subprocess.run(self._psql(database), input=statements, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout.strip()

    def session(self, database="bench"):
        return subprocess.Popen(self._psql(database), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)

    def fresh_database(self):
        self.sql("DROP DATABASE IF EXISTS bench (FORCE)", "postgres")
        self.sql("CREATE DATABASE bench TEMPLATE template0 ENCODING 'UTF8'", "postgres")
        self.sql("CREATE EXTENSION image_library")
