#include "core/model_profile.h"

#include <array>
#include <charconv>

#include "core/strings.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxNameLength = 256;
constexpr int kMaxParallelism = 1024;

/// The number of `tp2` after prefix `tp`.
std::optional<int> NumberAfter(std::string_view prefix, std::string_view token) {
  if (!token.starts_with(prefix)) return {};
  token.remove_prefix(prefix.size());
  int number = 0;
  if (!IsDigits(token) || token.size() > 4) return {};
  std::from_chars(token.data(), token.data() + token.size(), number);
  if (number < 1 || number > kMaxParallelism) return {};
  return number;
}

/// `fp8`, `bf16`, `nvfp4`, `int4_awq`, `w4a16` and their kin.
bool IsPrecision(std::string_view token) {
  constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"fp", "bf", "int", "nvfp", "mxfp", "nf", "tf", "float", "bfloat", "w"});
  for (const std::string_view prefix : kPrefixes) {
    if (!token.starts_with(prefix)) continue;
    const std::string_view rest = token.substr(prefix.size());
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0 || digits > 3) continue;
    const std::string_view suffix = rest.substr(digits);
    if (prefix == "w") return suffix.starts_with('a') && IsDigits(suffix.substr(1));
    if (suffix.empty() || suffix.front() == '_') return true;
  }
  return token == "mixed";
}

bool IsQos(std::string_view token) {
  return token == "latency" || token == "throughput" || token == "balanced";
}

/// An engine is a word: `tensorrt_llm`, `vllm`, `onnx`.
bool IsEngine(std::string_view token) {
  return !token.empty() && token.front() >= 'a' && token.front() <= 'z' && !IsPrecision(token) &&
         !IsQos(token) && !NumberAfter("tp", token) && !NumberAfter("pp", token) &&
         token.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") ==
             std::string_view::npos;
}

/// Splits `h100x2` into `h100` and 2.
std::optional<int> TakeGpuCount(std::string* gpu) {
  const std::size_t x = gpu->rfind('x');
  if (x == std::string::npos) return {};
  const std::optional<int> count = NumberAfter("x", std::string_view(*gpu).substr(x));
  if (count) gpu->resize(x > 0 && (*gpu)[x - 1] == '_' ? x - 1 : x);
  return count;
}

/// Reads the tokens after the engine.
class ProfileReader {
 public:
  explicit ProfileReader(ModelProfile* profile) : profile_(profile) {}

  /// False for a token that comes twice with two meanings.
  bool Read(const std::string& token) {
    if (const auto tp = NumberAfter("tp", token)) return Set(*tp, &tp_);
    if (const auto pp = NumberAfter("pp", token)) return Set(*pp, &pp_);
    if (IsPrecision(token)) {
      if (profile_->precision.empty()) profile_->precision = token;
    } else if (IsQos(token)) {
      profile_->qos = token;
    } else if (token == "lora" || token == "feat_lora") {
      profile_->lora = true;
    } else if (token == "buildable" || token.ends_with("_buildable")) {
      profile_->buildable = true;
    } else if (!tp_ && !pp_ && profile_->precision.empty()) {
      if (!profile_->gpu.empty()) profile_->gpu += '_';
      profile_->gpu += token;
    }
    // What follows the parallelism otherwise are ids of devices and checksums.
    return true;
  }

  bool Finish() {
    const std::optional<int> gpus = TakeGpuCount(&profile_->gpu);
    profile_->tp = tp_.value_or(gpus.value_or(1));
    profile_->pp = pp_.value_or(1);
    return tp_ || pp_ || !profile_->precision.empty();
  }

 private:
  static bool Set(int number, std::optional<int>* field) {
    if (*field && **field != number) return false;
    *field = number;
    return true;
  }

  ModelProfile* profile_;
  std::optional<int> tp_, pp_;
};

}  // namespace

std::optional<ModelProfile> ParseModelProfile(std::string_view name) {
  name = Trim(name);
  if (name.size() > kMaxNameLength) return {};
  const std::string lower = Lower(name);
  const std::vector<std::string_view> tokens = Split(lower, "-");
  if (tokens.size() < 2 || !IsEngine(tokens[0])) return {};
  ModelProfile profile{.name = std::string(name), .engine = std::string(tokens[0])};
  ProfileReader reader(&profile);
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i].empty() || tokens[i].find_first_of(" \t\r\n/") != std::string_view::npos ||
        !reader.Read(std::string(tokens[i]))) {
      return {};
    }
  }
  if (!reader.Finish()) return {};
  return profile;
}

}  // namespace image_library
