// Lists inside annotations: extensions of EDB's images (base64 of CSV, RFC 4180) and profiles of
// NIMs as `list-model-profiles` prints them.
#include <gtest/gtest.h>

#include "catalogue_entry.h"

namespace image_library {
namespace {

struct ListRow {
  const char* what;
  const char* base64;
  const char* extensions;  ///< nullptr: cannot be read
};

TEST(ClassifyListsTest, Extensions) {
  const ListRow rows[] = {
      {"a header, CRLF",
       "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uDQpwZ2F1ZGl0LDE3LjEsQXVkaXRpbmcNCnZlY3RvciwwLjguMCxWZWN0b3J"
       "zDQo=",
       "pgaudit 17.1,vector 0.8.0"},
      {"byte order mark",
       "77u/bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnYXVkaXQsMTcuMSx4Cg==", "pgaudit 17.1"},
      {"a line break and a comma in quotes",
       "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnYXVkaXQsMTcuMSwiU2Vzc2lvbiwKYW5kIG9iamVjdCIKdmVjdG9yLDA"
       "uOC4wLHkK",
       "pgaudit 17.1,vector 0.8.0"},
      {"doubled quotes", "cGdhdWRpdCwxNy4xLCJIZSBzYWlkICIiYXVkaXQiIiIK", "pgaudit 17.1"},
      {"no description", "bmFtZSx2ZXJzaW9uCnBnYXVkaXQsMTcuMQo=", "pgaudit 17.1"},
      {"description left out in a row",
       "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnYXVkaXQsMTcuMQo=", "pgaudit 17.1"},
      {"more columns",
       "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uLGxpY2Vuc2UKcGdhdWRpdCwxNy4xLHgsUG9zdGdyZVNRTAo=",
       "pgaudit 17.1"},
      {"columns in another order, in capitals",
       "VmVyc2lvbixEZXNjcmlwdGlvbixOYW1lCjE3LjEseCxwZ2F1ZGl0Cg==", "pgaudit 17.1"},
      {"empty lines and no end of the last",
       "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCgpwZ2F1ZGl0LDE3LjEseAoKdmVjdG9yLDAuOC4wLHk=",
       "pgaudit 17.1,vector 0.8.0"},
      {"blanks around", "IHBnYXVkaXQgLCAxNy4xICwgeCAK", "pgaudit 17.1"},
      {"no version known", "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnYXVkaXQsLHgK", "pgaudit "},
      {"half a quote", "cGdhdWRpdCwxNy4xLCJ4Cg==", nullptr},
      {"only names", "bmFtZQpwZ2F1ZGl0Cg==", nullptr},
      {"a row without a name", "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCiwxNy4xLHgK", nullptr},
      {"JSON", "eyJwZ2F1ZGl0IjogIjE3LjEifQ==", nullptr},
      {"Latin-1", "cGdhdWRpdCwxNy4xLGNhZukK", nullptr},
      {"no base64", "pgaudit,17.1,Auditing", nullptr},
      {"base64 cut short", "cGdhdWRpdCwxNy4xLHg", "pgaudit 17.1"},
  };
  for (const ListRow& row : rows) {
    SCOPED_TRACE(row.what);
    const Classification image =
        Read({.repository = "team/db",
              .tag = "17.4",
              .parts = {{}},
              .annotations = {{"org.enterprisedb.pgextensions", row.base64}}});
    EXPECT_EQ(image.kind, "postgres");
    EXPECT_EQ(image.major_version, 17);
    std::string extensions;
    for (const Extension& e : image.extensions)
      extensions += (extensions.empty() ? "" : ",") + e.name + " " + e.version;
    EXPECT_EQ(extensions, row.extensions == nullptr ? "" : row.extensions);
    EXPECT_EQ(image.conflicts.size(), row.extensions == nullptr ? 1u : 0u);
  }
}

TEST(ClassifyListsTest, ProfilesOfModels) {
  struct Row {
    const char* name;
    const char* engine;
    const char* gpu;
    const char* precision;
    int gpus;
    const char* qos;
    bool lora;
  };
  const Row rows[] = {
      {"tensorrt_llm-h100-fp8-tp2-pp1-latency", "tensorrt_llm", "h100", "fp8", 2, "latency", false},
      {"tensorrt_llm-h100_nvl-fp8-tp2-pp1-throughput-2321:10de-2", "tensorrt_llm", "h100_nvl",
       "fp8", 2, "throughput", false},
      {"tensorrt_llm-a10g-bf16-tp4-pp1-throughput-lora", "tensorrt_llm", "a10g", "bf16", 4,
       "throughput", true},
      {"tensorrt_llm-gh200_480gb-fp8-tp1-pp1-throughput", "tensorrt_llm", "gh200_480gb", "fp8", 1,
       "throughput", false},
      {"tensorrt_llm-b200-nvfp4-tp1-pp1-latency", "tensorrt_llm", "b200", "nvfp4", 1, "latency",
       false},
      {"tensorrt_llm-h100-fp8-tp8-pp2-latency", "tensorrt_llm", "h100", "fp8", 16, "latency",
       false},
      {"tensorrt_llm-h100-fp8-tp2-latency", "tensorrt_llm", "h100", "fp8", 2, "latency", false},
      {"tensorrt_llm-l40s-bf16-tp4-pp1-balanced", "tensorrt_llm", "l40s", "bf16", 4, "balanced",
       false},
      {"tensorrt_llm-trtllm_buildable-bf16-tp2-pp1-lora", "tensorrt_llm", "", "bf16", 2, "", true},
      {"vllm-fp16-tp2", "vllm", "", "fp16", 2, "", false},
      {"vllm-bf16-tp1-pp1-feat_lora-32746a8f", "vllm", "", "bf16", 1, "", true},
      {"vllm-mxfp4-tp1-pp1", "vllm", "", "mxfp4", 1, "", false},
      {"sglang-fp8-tp8-pp2", "sglang", "", "fp8", 16, "", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto profile = ParseModelProfile(row.name);
    ASSERT_TRUE(profile.has_value());
    EXPECT_EQ(profile->engine, row.engine);
    EXPECT_EQ(profile->gpu, row.gpu);
    EXPECT_EQ(profile->precision, row.precision);
    EXPECT_EQ(profile->tp * profile->pp, row.gpus);
    EXPECT_EQ(profile->qos, row.qos);
    EXPECT_EQ(profile->lora, row.lora);
    EXPECT_EQ(profile->buildable, std::string(row.name).find("buildable") != std::string::npos);
  }
}

}  // namespace
}  // namespace image_library
