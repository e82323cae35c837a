#include "postgres/batch_datum.h"

namespace image_library::postgres {
namespace {

// Everything here runs inside one Call: no object with a destructor.

constexpr int kMaxColumns = 24;

// A composite type of src/sql/sync/batch.sql.
struct RowType {
  explicit RowType(const char* name) {
    type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                           ObjectIdGetDatum(get_namespace_oid("image_library_internal", false)));
    if (!OidIsValid(type)) elog(ERROR, "type \"image_library_internal.%s\" does not exist", name);
    columns = lookup_rowtype_tupdesc_copy(type, -1);
  }
  Oid type;
  TupleDesc columns;
};

Datum TextOf(const std::string& text) {
  const int size = static_cast<int>(text.size());
  (void)pg_verifymbstr(text.data(), size, false);
  return PointerGetDatum(cstring_to_text_with_len(text.data(), size));
}

JsonbValue JsonbTextOf(const std::string& text) {
  JsonbValue value;
  value.type = jbvString;
  value.val.string.len = static_cast<int>(text.size());
  value.val.string.val = const_cast<char*>(text.data());
  (void)pg_verifymbstr(text.data(), value.val.string.len, false);
  return value;
}

Datum JsonbOf(const StringMap& map) {
  JsonbParseState* state = nullptr;
  (void)pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (const auto& [key, text] : map) {
    JsonbValue value = JsonbTextOf(key);
    (void)pushJsonbValue(&state, WJB_KEY, &value);
    value = JsonbTextOf(text);
    (void)pushJsonbValue(&state, WJB_VALUE, &value);
  }
  return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

Datum BytesDatum(const std::string& bytes) {
  return PointerGetDatum(
      cstring_to_text_with_len(bytes.data(), static_cast<int>(bytes.size())));  // bytea alike
}

// Of a SHA-256 digest, the bytes that its hexadecimal digits say.
Datum DigestBytes(const std::string& digest) {
  constexpr std::size_t kAlgorithm = sizeof("sha256:") - 1;
  const std::size_t digits = digest.size() - kAlgorithm;
  auto* const bytes = static_cast<bytea*>(palloc(VARHDRSZ + digits));
  const std::uint64_t size = hex_decode(digest.data() + kAlgorithm, digits, VARDATA(bytes));
  SET_VARSIZE(bytes, VARHDRSZ + size);
  return PointerGetDatum(bytes);
}

Datum PlatformName(const Platform& platform) {
  const char* const slash = platform.variant.empty() ? "" : "/";
  return CStringGetTextDatum(psprintf("%s/%s%s%s", platform.os.c_str(),
                                      platform.architecture.c_str(), slash,
                                      platform.variant.c_str()));
}

// The columns of a row, in the order of its type.
class RowDatumBuilder {
 public:
  void Add(Datum value) { Put(value, false); }
  void Null() { Put(0, true); }
  void Text(const std::string& text) { Add(TextOf(text)); }
  void TextOrNull(const std::string& text) { text.empty() ? Null() : Text(text); }
  void TimeOrNull(const std::string& time) {
    if (time.empty()) return Null();
    Add(DirectFunctionCall3(timestamptz_in, CStringGetDatum(time.c_str()),
                            ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  }
  Datum Finish(const RowType& type) {
    if (count_ != type.columns->natts)
      elog(ERROR, "type %u has %d columns instead of %d", type.type, type.columns->natts, count_);
    return HeapTupleGetDatum(heap_form_tuple(type.columns, values_, nulls_));
  }

 private:
  void Put(Datum value, bool is_null) {
    Assert(count_ < kMaxColumns);
    values_[count_] = value;
    nulls_[count_++] = is_null;
  }

  int count_ = 0;
  Datum values_[kMaxColumns];
  bool nulls_[kMaxColumns];
};

template <typename Items, typename Make>
Datum ArrayOf(const Items& items, Oid element, char alignment, Make make) {
  if (items.empty()) return PointerGetDatum(construct_empty_array(element));
  auto* const values = static_cast<Datum*>(palloc(items.size() * sizeof(Datum)));
  for (std::size_t i = 0; i < items.size(); ++i) values[i] = make(items[i]);
  return PointerGetDatum(
      construct_array(values, static_cast<int>(items.size()), element, -1, false, alignment));
}

Datum TextsOf(const std::vector<std::string>& texts) {
  return ArrayOf(texts, TEXTOID, TYPALIGN_INT, &TextOf);
}

template <typename Item, typename Make>
Datum RowsOf(const std::vector<Item>& items, const RowType& type, Make make) {
  return ArrayOf(items, type.type, TYPALIGN_DOUBLE, [&](const Item& item) {
    RowDatumBuilder row;
    make(row, item);
    return row.Finish(type);
  });
}

// In the order of the columns in src/sql/sync/batch.sql.
class BatchBuilder {
 public:
  Datum Batch(const sync::Batch& batch) {
    RowDatumBuilder row;
    row.Add(Images(batch.images));
    row.Add(Images(batch.completed));
    row.Add(RowsOf(batch.tags, tag_, [](RowDatumBuilder& to, const sync::FoundTag& tag) {
      to.Text(tag.name);
      to.Text(tag.digest);
      to.Add(Int64GetDatum(tag.rule_id));
    }));
    row.Add(TextsOf(batch.missing));
    row.Add(Referrers(batch.referrers));
    row.Add(RowsOf(batch.referrer_answers, answer_,
                   [](RowDatumBuilder& to, const sync::ReferrerAnswer& answer) {
                     to.TextOrNull(answer.subject);
                     to.TextOrNull(answer.tag);
                   }));
    row.Add(TextsOf(batch.referrers_checked));
    row.Add(
        RowsOf(batch.gone_children, gone_, [](RowDatumBuilder& to, const sync::GoneChild& gone) {
          to.Text(gone.image);
          to.Text(gone.digest);
        }));
    TextsOrNull(row, batch.refused_removals);
    TextsOrNull(row, batch.listing);
    row.Text(batch.listing_fingerprint);
    row.TextOrNull(batch.rules_version);
    if (batch.settled)
      row.Add(Settled(*batch.settled));
    else
      row.Null();
    row.Add(TextsOf(batch.checked));
    row.Add(RowsOf(batch.problems, problem_, [](RowDatumBuilder& to, const sync::Problem& problem) {
      to.TextOrNull(problem.tag);
      to.Text(problem.problem);
      to.Text(problem.detail);
    }));
    row.Add(Evidence(batch.evidence));
    return row.Finish(batch_);
  }

  Datum Batches(std::span<const sync::Batch> batches) {
    return ArrayOf(batches, batch_.type, TYPALIGN_DOUBLE,
                   [&](const sync::Batch& batch) { return Batch(batch); });
  }

  Oid type() const { return batch_.type; }

 private:
  static void TextsOrNull(RowDatumBuilder& row,
                          const std::optional<std::vector<std::string>>& texts) {
    if (texts)
      row.Add(TextsOf(*texts));
    else
      row.Null();
  }

  Datum Images(const std::vector<Image>& images) {
    return RowsOf(images, image_, [&](RowDatumBuilder& to, const Image& image) {
      to.Text(image.digest);
      to.Text(image.media_type);
      to.Text(image.artifact_type);
      to.Text(image.config_type);
      to.Text(image.config_digest);
      to.Add(TextsOf(image.layer_types));
      to.Add(Int64GetDatum(image.size_bytes));
      to.TimeOrNull(image.created);
      to.Text(image.created_text);
      to.Add(JsonbOf(image.annotations));
      to.Add(JsonbOf(image.labels));
      if (image.unread == Unread::kNothing)
        to.Null();
      else
        to.Add(CStringGetTextDatum(image.unread == Unread::kManifest ? "manifest" : "config"));
      to.Add(Platforms(image.platforms));
      to.Add(Referrers(image.referrers));
      to.Add(ArrayOf(image.chain_ids, BYTEAOID, TYPALIGN_INT, &DigestBytes));
    });
  }

  Datum Platforms(const std::vector<PlatformImage>& platforms) {
    return RowsOf(platforms, platform_, [](RowDatumBuilder& to, const PlatformImage& platform) {
      to.Add(PlatformName(platform.platform));
      to.Text(platform.platform.os);
      to.Text(platform.platform.architecture);
      to.Text(platform.platform.variant);
      to.Text(platform.manifest_digest);
      to.Text(platform.config_digest);
      to.Add(Int64GetDatum(platform.size_bytes));
      to.TimeOrNull(platform.created);
      to.Add(BoolGetDatum(platform.present));
    });
  }

  Datum Referrers(const std::vector<Referrer>& referrers) {
    return RowsOf(referrers, referrer_, [](RowDatumBuilder& to, const Referrer& referrer) {
      to.Text(referrer.subject);
      to.Text(referrer.digest);
      to.Text(referrer.artifact_type);
      to.Add(Int64GetDatum(referrer.size_bytes));
      to.Add(JsonbOf(referrer.annotations));
      to.Text(referrer.source);
      to.TextOrNull(referrer.tag);
    });
  }

  Datum Evidence(const std::vector<sync::FoundEvidence>& evidence) {
    return RowsOf(evidence, evidence_, [](RowDatumBuilder& to, const sync::FoundEvidence& found) {
      to.Text(found.subject);
      to.Text(found.referrer);
      to.Add(Int32GetDatum(found.place));
      to.Text(found.digest);
      to.Text(found.format);
      if (found.document)
        to.Add(BytesDatum(*found.document));
      else
        to.Null();
      to.Add(JsonbOf(found.annotations));
      to.TextOrNull(found.unread);
      to.Add(BoolGetDatum(found.retry));
    });
  }

  Datum Settled(const sync::Settled& settled) {
    RowDatumBuilder row;
    row.Text(settled.fingerprint);
    row.Add(Int64GetDatum(settled.tags));
    row.Add(Int64GetDatum(settled.movable));
    return row.Finish(settled_);
  }

  RowType platform_{"batch_platform"}, referrer_{"batch_referrer"}, image_{"batch_image"},
      tag_{"batch_tag"}, answer_{"referrer_answer"}, gone_{"gone_child"}, problem_{"batch_problem"},
      settled_{"settled"}, evidence_{"batch_evidence"}, batch_{"batch"};
};

}  // namespace

TypedDatum BatchesDatum(std::span<const sync::Batch> batches) {
  return Value([&] {
    BatchBuilder builder;
    return TypedDatum{get_array_type(builder.type()), builder.Batches(batches)};
  });
}

}  // namespace image_library::postgres
