"""The listeners: the registry itself, and the other one that realms and redirects lead to."""
import socketserver
import ssl
import threading

from faulty.registry import Registry
from faulty.wire import Connection


class Handler(socketserver.BaseRequestHandler):
    """One connection; requests follow each other on it."""

    def handle(self):
        server = self.server
        connection = Connection(self.request, server.name, self.client_address[0], server.tls)
        allowed = server.registry.allowed_connections()
        with server.counting:
            server.connections += 1
            connection.open = allowed is None or server.connections <= allowed
        try:
            while connection.open:
                request = connection.read()
                if request is None:
                    break
                connection.send(request, server.registry.answer(request))
        except (OSError, ValueError):
            pass  # clients that hang up are what this is for
        finally:
            with server.counting:
                server.connections -= 1
            connection.close()


class Listener(socketserver.ThreadingTCPServer):
    """One port on loopback."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name, port, context):
        super().__init__(("127.0.0.1", port), Handler)
        self.name = name
        self.tls = context is not None
        self.registry = None
        self.connections = 0
        self.counting = threading.Lock()
        if context is not None:
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def origin(self):
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # as above


def start(journal, path=None, port=0, certificate=None, key=None):
    """Both listeners, serving in threads of their own: (registry, main listener, other listener)."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    main = Listener("registry", port, context)
    other = Listener("other", 0, context)
    origins = {"base": main.origin, "other": other.origin,
               "localhost": other.origin.replace("127.0.0.1", "localhost")}
    registry = Registry(origins, journal, path)
    for listener in (main, other):
        listener.registry = registry
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    return registry, main, other
