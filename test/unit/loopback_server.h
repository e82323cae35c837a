// loopback_server.py as a child process.
#ifndef IMAGE_LIBRARY_TEST_UNIT_LOOPBACK_SERVER_H_
#define IMAGE_LIBRARY_TEST_UNIT_LOOPBACK_SERVER_H_

#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace image_library {

/// Runs while it lives; ends with its standard input, also when the test crashes.
class LoopbackServer {
 public:
  /// mode: `--tls`, `--old-tls` (1.1 at most), `--mtls`, or none for http.
  explicit LoopbackServer(const char* mode = nullptr) {
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0)
      throw std::runtime_error("pipe");
    child_ = fork();
    if (child_ == 0) {
      dup2(input[0], 0);
      dup2(output[1], 1);
      execlp("python3", "python3", IMAGE_LIBRARY_TEST_FOLDER "/unit/loopback_server.py", mode,
             nullptr);
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    std::string text;
    char buffer[4096];
    for (ssize_t size; (size = read(output[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(size));
    }
    close(output[0]);
    const std::size_t line = text.find('\n');
    if (line == std::string::npos) throw std::runtime_error("the loopback server did not start");
    port_ = text.substr(0, line);
    const std::size_t key = text.find("-----BEGIN PRIVATE KEY");
    certificate_ = text.substr(line + 1, key == std::string::npos ? key : key - line - 1);
    if (key != std::string::npos) key_ = text.substr(key);
  }
  ~LoopbackServer() {
    close(input_);
    waitpid(child_, nullptr, 0);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  const std::string& port() const { return port_; }
  const std::string& certificate() const { return certificate_; }
  /// Of the certificate; only with --mtls.
  const std::string& key() const { return key_; }

 private:
  pid_t child_ = -1;
  int input_ = -1;
  std::string port_;
  std::string certificate_;
  std::string key_;
};

}  // namespace image_library

#endif
