// libFuzzer target: names of model profiles.
#include "core/model_profile.h"

#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library;
  const std::string_view text = fuzz::TextOf(data, size);
  const std::optional<ModelProfile> profile = ParseModelProfile(text);
  if (!profile) return 0;
  REQUIRE(profile->name == Trim(text) && profile->name.size() <= 256);
  REQUIRE(profile->tp >= 1 && profile->tp <= 1024 && profile->pp >= 1 && profile->pp <= 1024);
  REQUIRE(!profile->engine.empty());
  // The case of a name changes nothing.
  const std::optional<ModelProfile> lower = ParseModelProfile(Lower(text));
  REQUIRE(lower && lower->engine == profile->engine && lower->gpu == profile->gpu &&
          lower->precision == profile->precision && lower->qos == profile->qos &&
          lower->tp == profile->tp && lower->pp == profile->pp && lower->lora == profile->lora &&
          lower->buildable == profile->buildable);
  return 0;
}
