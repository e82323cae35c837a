// What an image is: a Postgres, a model, or something else; read from documented keys only.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace image_library {

/// What classification looks at: the stored facts of a digest and where it was found.
struct ImageFacts {
  std::string repository;  ///< with the registry's prefix
  std::string tag;
  std::string artifact_type;
  std::string config_type;
  std::vector<std::string> layer_types;
  StringMap annotations;
  StringMap labels;
};

/// Annotation and label keys by purpose, best first: an admin can change them
/// (image_library.annotation_key). A `*` in a key stands for any text. An annotation under any of
/// the keys comes before a label, because labels are inherited from base images. Purposes:
///   all images       `title`, `description`, `version`, `created`, `source`, `base_name`
///   Postgres images  `flavor`, `major_version`, `features`, `extensions`, `os`
///   extension images `extension_major`, `extension_version`, `extension_base`
///   models           `nim`, `publisher`, `model`, `model_version`, `task`, `gpu_count`, `profiles`
using ClassificationKeys = std::map<std::string, std::vector<std::string>>;

/// The keys that EDB, CloudNativePG, NVIDIA and the OCI image-spec (annotations.md) document, with
/// the likely ones where nothing is documented (`task`, `gpu_count`, `profiles`, `model`).
ClassificationKeys DefaultClassificationKeys();

/// `{"flavor": ["org.enterprisedb.pg.flavor"], ...}`; throws Error kInvalidArgument.
ClassificationKeys ParseClassificationKeys(std::string_view json);

struct Extension {
  std::string name, version, description;
};

/// `tensorrt_llm-h100-fp8-tp2-pp1-latency`; GPUs needed are tp x pp. `h100x2` without a tp is tp 2.
struct ModelProfile {
  std::string name, engine, gpu, precision;
  int tp = 1, pp = 1;
  std::string qos;  ///< `latency`, `throughput`, `balanced` or empty
  bool lora = false, buildable = false;
};

struct Classification {
  std::string kind;  ///< `postgres`, `model` or `other`
  std::string title, description, version;

  // kind postgres
  std::string flavor;  ///< `postgresql`, `epas`, `pge`
  std::optional<int> major_version;
  std::string build_at;  ///< NormalizeTimestamp form or empty
  std::string variant, os;
  std::vector<std::string> features;
  std::vector<Extension> extensions;

  // kind model
  std::string publisher, model, model_version;
  /// `nim`, `modelpack`, `kitops`, `docker-model`, `ollama`, `ramalama`, `modelcar` (an ordinary
  /// image that holds a model) or `oci-volume` (any other artifact that a rule calls a model).
  std::string format;
  std::string task;
  std::optional<int> gpu_count;
  std::vector<ModelProfile> profiles;

  /// Contradictions and unreadable values, phrases for a person: shown, never silently trusted.
  std::vector<std::string> conflicts;
  /// Flavor, major, version, variant or OS are contradicted by what the publisher himself wrote:
  /// nothing picks such an image by itself.
  bool contested = false;
};

/// forced_kind is a rule's kind: `auto` leaves the decision to the facts, the others win over them,
/// except that signatures, attestations, SBOMs and Helm charts are always `other`.
///
/// CloudNativePG extension images (annotations io.cloudnativepg.image.*) are no servers: they are
/// `other`, with major_version, os and the one extension (named as the repository's last
/// component) filled in, so that catalogs can join them to the server images they fit.
Classification Classify(const ImageFacts& facts, const ClassificationKeys& keys,
                        std::string_view forced_kind = "auto");

/// A Postgres flavor (`postgresql`, `epas`, `pge`) in any spelling that EDB uses in annotations, in
/// its command line and in repositories; empty for any other text.
std::string KnownFlavor(std::string_view text);

/// What the keys find in annotations, else in labels; empty texts where they find nothing.
struct PublishedTexts {
  std::string title, description, version;
};
PublishedTexts ReadPublishedTexts(const StringMap& annotations, const StringMap& labels,
                                  const ClassificationKeys& keys);

/// Base64 of CSV (RFC 4180) `name,version,description`, with or without a header line; false (and
/// nothing in out) when it is neither. Of a name that comes twice the first is kept.
bool ParseExtensionList(std::string_view base64_csv, std::vector<Extension>* out);

/// Nothing when the text does not follow NIM's profile names.
std::optional<ModelProfile> ParseModelProfile(std::string_view name);

}  // namespace image_library

#endif
