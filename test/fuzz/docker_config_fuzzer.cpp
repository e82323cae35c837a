// libFuzzer target: credential files in docker's form. The first line is the path of the registry's
// URL, the rest is the file.
#include "registry/docker_config.h"

#include "core/error.h"
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library;
  using namespace image_library::registry;
  const std::string_view text = fuzz::TextOf(data, size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  const std::string prefix = Scrub(text.substr(0, line), 255);
  const std::string_view file = text.substr(std::min(line + 1, text.size()));
  for (const char* host : {"docker.io", "r.test", "r.test:5000"}) {
    std::vector<Credential> credentials;
    try {
      credentials = ReadDockerConfig(file, host, prefix);
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::kMalformed);
      fuzz::RequireReadable(error);
    }
    for (const Credential& credential : credentials) {
      REQUIRE(!credential.username.empty() || !credential.password.empty());
      REQUIRE(fuzz::IsStorable(credential.repository_prefix));
    }
    try {
      RequireDockerCredential(file, host, prefix);
      REQUIRE(!credentials.empty());
    } catch (const Error& error) {
      REQUIRE(credentials.empty());
      fuzz::RequireReadable(error);
    }
  }
  return 0;
}
