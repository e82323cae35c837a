// serve.py as a child process: the random registries of the property test.
#ifndef IMAGE_LIBRARY_TEST_PROPERTY_SERVER_H_
#define IMAGE_LIBRARY_TEST_PROPERTY_SERVER_H_

#include <cstdio>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"

#ifndef PROPERTY_SERVER
#error "PROPERTY_SERVER is the path of serve.py"
#endif

namespace image_library {

/// Runs while it lives; ends with its standard input, also when the test crashes.
class RandomRegistries {
 public:
  RandomRegistries() {
    int input[2], output[2];
    if (pipe(input) != 0 || pipe(output) != 0) throw std::runtime_error("pipe");
    child_ = fork();
    if (child_ == 0) {
      dup2(input[0], 0);
      dup2(output[1], 1);
      for (const int end : {input[0], input[1], output[0], output[1]}) close(end);
      execlp("python3", "python3", "-B", PROPERTY_SERVER, nullptr);
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    input_ = fdopen(input[1], "w");
    output_ = fdopen(output[0], "r");
    port_ = ReadLine();
  }
  ~RandomRegistries() {
    fclose(input_);
    fclose(output_);
    waitpid(child_, nullptr, 0);
  }
  RandomRegistries(const RandomRegistries&) = delete;
  RandomRegistries& operator=(const RandomRegistries&) = delete;

  const std::string& port() const { return port_; }

  /// The answer to one of serve.py's commands.
  Json Ask(const std::string& command) {
    fprintf(input_, "%s\n", command.c_str());
    fflush(input_);
    return Json::Parse(ReadLine());
  }

 private:
  std::string ReadLine() {
    char* line = nullptr;
    std::size_t size = 0;
    const ssize_t length = getline(&line, &size, output_);
    const std::string text = length > 0 ? std::string(line, length - 1) : "";
    free(line);
    if (length <= 0) throw std::runtime_error("the random registries ended");
    return text;
  }

  pid_t child_ = -1;
  FILE* input_ = nullptr;
  FILE* output_ = nullptr;
  std::string port_;
};

}  // namespace image_library

#endif
