#include "postgres/batch_json.h"

#include "core/json_writer.h"

namespace image_library::postgres {
namespace {

std::string PlatformJson(const PlatformImage& platform) {
  JsonObject json;
  json.Text("platform", platform.platform.ToString());
  json.Text("os", platform.platform.os);
  json.Text("architecture", platform.platform.architecture);
  json.Text("variant", platform.platform.variant);
  json.Text("manifest_digest", platform.manifest_digest);
  json.Text("config_digest", platform.config_digest);
  json.Integer("size_bytes", platform.size_bytes);
  json.TextOrNull("created_at", platform.created);
  json.Boolean("present", platform.present);
  return json.Finish();
}

std::string ReferrerJson(const Referrer& referrer) {
  JsonObject json;
  json.Text("digest", referrer.subject);
  json.Text("referrer_digest", referrer.digest);
  json.Text("artifact_type", referrer.artifact_type);
  json.Integer("size_bytes", referrer.size_bytes);
  json.Raw("annotations", ToJson(referrer.annotations));
  json.Text("source", referrer.source);
  json.TextOrNull("tag", referrer.tag);
  return json.Finish();
}

const char* NameOf(Unread unread) {
  return unread == Unread::kManifest ? "manifest" : unread == Unread::kConfig ? "config" : "";
}

std::string ImageJson(const Image& image) {
  JsonObject json;
  json.Text("digest", image.digest);
  json.Text("media_type", image.media_type);
  json.Text("artifact_type", image.artifact_type);
  json.Text("config_type", image.config_type);
  json.Text("config_digest", image.config_digest);
  json.Raw("layer_types", ToJsonArray(image.layer_types));
  json.Integer("size_bytes", image.size_bytes);
  json.TextOrNull("created_at", image.created);
  json.Text("created_text", image.created_text);
  json.Raw("annotations", ToJson(image.annotations));
  json.Raw("labels", ToJson(image.labels));
  json.TextOrNull("unread", NameOf(image.unread));
  json.Raw("platforms", ToJsonArray(image.platforms, PlatformJson));
  json.Raw("referrers", ToJsonArray(image.referrers, ReferrerJson));
  return json.Finish();
}

std::string TagJson(const sync::FoundTag& tag) {
  JsonObject json;
  json.Text("name", tag.name);
  json.Text("digest", tag.digest);
  json.Integer("rule_id", tag.rule_id);
  return json.Finish();
}

std::string AnswerJson(const sync::ReferrerAnswer& answer) {
  JsonObject json;
  json.TextOrNull("digest", answer.subject);
  json.TextOrNull("tag", answer.tag);
  return json.Finish();
}

std::string GoneChildJson(const sync::GoneChild& gone) {
  JsonObject json;
  json.Text("image", gone.image);
  json.Text("digest", gone.digest);
  return json.Finish();
}

std::string SettledJson(const sync::Settled& settled) {
  JsonObject json;
  json.Text("fingerprint", settled.fingerprint);
  json.Integer("tags", settled.tags);
  return json.Finish();
}

std::string ProblemJson(const sync::Problem& problem) {
  JsonObject json;
  json.TextOrNull("tag", problem.tag);
  json.Text("problem", problem.problem);
  json.Text("detail", problem.detail);
  return json.Finish();
}

}  // namespace

std::string BatchJson(const sync::Batch& batch) {
  JsonObject json;
  json.Raw("images", ToJsonArray(batch.images, ImageJson));
  json.Raw("completed", ToJsonArray(batch.completed, ImageJson));
  json.Raw("tags", ToJsonArray(batch.tags, TagJson));
  json.Raw("missing", ToJsonArray(batch.missing));
  json.Raw("referrers", ToJsonArray(batch.referrers, ReferrerJson));
  json.Raw("referrer_answers", ToJsonArray(batch.referrer_answers, AnswerJson));
  json.Raw("referrers_checked", ToJsonArray(batch.referrers_checked));
  json.Raw("gone_children", ToJsonArray(batch.gone_children, GoneChildJson));
  json.Raw("refused_removals",
           batch.refused_removals ? ToJsonArray(*batch.refused_removals) : "null");
  json.Raw("listing", batch.listing ? ToJsonArray(*batch.listing) : "null");
  json.Text("fingerprint", batch.listing_fingerprint);
  json.Raw("settled", batch.settled ? SettledJson(*batch.settled) : "null");
  json.Raw("checked", ToJsonArray(batch.checked));
  json.Raw("problems", ToJsonArray(batch.problems, ProblemJson));
  return json.Finish();
}

}  // namespace image_library::postgres
