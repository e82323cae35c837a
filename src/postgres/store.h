// sync::Store over SQL: what a sync reads and writes, one short transaction a call.
#ifndef IMAGE_LIBRARY_POSTGRES_STORE_H_
#define IMAGE_LIBRARY_POSTGRES_STORE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "postgres/database.h"
#include "sync/registry_config.h"
#include "sync/run_report.h"
#include "sync/store.h"

namespace image_library::postgres {

class SqlStore : public sync::Store {
 public:
  using Report = std::function<void(const sync::RunReport&)>;

  SqlStore(Database& database, std::int32_t registry_id, Report report)
      : database_(database),
        registry_id_(std::to_string(registry_id)),
        report_(std::move(report)) {}

  sync::KnownRepository LoadRepository(const std::string& repository) override;
  std::vector<sync::KnownTag> KnownTags(const std::string& repository, const std::string& from,
                                        std::size_t most) override;
  std::vector<sync::KnownProblem> KnownProblems(const std::string& repository,
                                                const std::string& from, std::size_t most) override;
  std::vector<std::string> ReferrerTags(const std::string& repository, const std::string& from,
                                        std::size_t most) override;
  std::vector<std::optional<sync::KnownImage>> KnownImages(
      const std::vector<sync::RepositoryDigest>& digests) override;
  std::vector<std::string> Subjects(const std::string& repository,
                                    const std::vector<std::string>& subjects) override;
  void Write(std::span<const sync::Batch> batches) override;
  std::vector<std::string> KnownRepositories() override;
  std::map<std::string, sync::Settled> SettledRepositories() override;
  void ForgetOtherProblems(const std::vector<std::string>& repositories) override;
  std::vector<sync::DueReferrers> ReferrersDue(bool with_api) override;
  sync::KnownEvidence FindEvidence(const std::string& repository,
                                   const std::string& subject) override;
  std::vector<sync::UntaggedImage> UntaggedDue() override;
  void NoteUntagged(const std::string& repository, const std::string& digest, bool found) override;
  std::vector<sync::RequestedRepository> Requested() override;
  void NoteLook(const sync::RequestedRepository& requested, double seconds,
                const std::string& problem) override;
  void ReportProgress(const sync::RunReport& report) override { report_(report); }

 private:
  Database& database_;
  std::string registry_id_;
  Report report_;
};

/// With what PostgreSQL said, for a run that ends with it.
class DataRefusedByPostgres : public sync::DataRefused {
 public:
  DataRefusedByPostgres(const std::string& message, PostgresError error)
      : DataRefused(message), cause(std::move(error)) {}
  PostgresError cause;
};

/// The registry with its rules and credentials; credential files are read here, and again when the
/// registry refuses what they hold (none are, once the registry is reached in another way): the
/// database must outlive the configuration. Throws Error kInvalidArgument when the registry is gone
/// or a credential file or variable cannot be read, kForbiddenAddress when its proxy is not
/// allowed.
sync::RegistryConfig LoadRegistry(Database& database, std::int32_t registry_id);

/// Reads one credential of a registry as a run would: throws Error kInvalidArgument or kMalformed
/// when its file or environment variable cannot be read, must not be sent there, or has no password
/// for the registry's host. No error quotes what they hold.
void CheckCredential(Database& database, std::int32_t registry_id,
                     const std::string& repository_prefix);

/// Writes batches of different repositories in a transaction; the database's own error when it
/// refuses.
void WriteBatches(Database& database, const std::string& registry_id,
                  std::span<const sync::Batch> batches);

}  // namespace image_library::postgres

#endif
