// The limit of a registry: requests in flight on keep-alive connections, bodies counted and thrown
// away, neither verified nor parsed.
//
//   raw_limit PORT URLS CONNECTIONS
//
// URLS: a file of paths, one a line, each asked for once. Prints requests a second.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Connection {
  int socket = -1;
  bool busy = false;
  std::string received;
};

[[noreturn]] void Stop(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::vector<std::string> ReadRequests(const char* file) {
  std::vector<std::string> requests;
  std::ifstream lines(file);
  for (std::string path; std::getline(lines, path);)
    requests.push_back("GET " + path +
                       " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                       "Accept: application/vnd.oci.image.manifest.v1+json\r\n\r\n");
  return requests;
}

int Connect(int port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    Stop("connect");
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  return descriptor;
}

// Takes one whole answer from the buffer; false while more must be read.
bool TakeAnswer(std::string* received) {
  const std::size_t end = received->find("\r\n\r\n");
  if (end == std::string::npos) return false;
  if (received->compare(9, 3, "200") != 0) {
    std::fprintf(stderr, "%.80s\n", received->c_str());
    std::exit(1);
  }
  std::size_t length = 0;
  const std::string_view head(received->data(), end);
  for (std::size_t line = 0; (line = head.find("\r\n", line)) != std::string_view::npos;) {
    line += 2;
    if (strncasecmp(head.data() + line, "content-length:", 15) == 0)
      length = std::strtoul(head.data() + line + 15, nullptr, 10);
  }
  if (received->size() < end + 4 + length) return false;
  received->erase(0, end + 4 + length);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: raw_limit PORT URLS CONNECTIONS\n", stderr), 2;
  const std::vector<std::string> requests = ReadRequests(argv[2]);
  std::vector<Connection> connections(static_cast<std::size_t>(std::atoi(argv[3])));
  const int poll = epoll_create1(0);
  for (Connection& connection : connections) {
    connection.socket = Connect(std::atoi(argv[1]));
    epoll_event event{EPOLLIN, {.ptr = &connection}};
    epoll_ctl(poll, EPOLL_CTL_ADD, connection.socket, &event);
  }

  std::size_t sent = 0;
  std::size_t done = 0;
  const auto ask = [&](Connection& connection) {
    if (sent == requests.size()) return;
    const std::string& request = requests[sent++];
    if (write(connection.socket, request.data(), request.size()) !=
        static_cast<ssize_t>(request.size()))
      Stop("write");
  };
  const auto start = std::chrono::steady_clock::now();
  for (Connection& connection : connections) ask(connection);
  std::vector<char> buffer(1 << 18);
  epoll_event events[64];
  while (done < requests.size()) {
    const int ready = epoll_wait(poll, events, 64, 10000);
    if (ready <= 0) Stop("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      Connection& connection = *static_cast<Connection*>(events[i].data.ptr);
      const ssize_t size = read(connection.socket, buffer.data(), buffer.size());
      if (size <= 0) Stop("read");
      connection.received.append(buffer.data(), static_cast<std::size_t>(size));
      if (!TakeAnswer(&connection.received)) continue;
      ++done;
      ask(connection);
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%.1f\n", static_cast<double>(done) / seconds.count());
}
