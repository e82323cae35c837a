// Lists of the client: tags, repositories, referrers, in all the ways registries page them.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "core/error.h"
#include "fake_transport.h"
#include "registry/client.h"

namespace image_library::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kTags = "https://registry.example:5000/v2/team/app/tags/list";

class ListingTest : public testing::Test {
 protected:
  ListingTest() : transport_([this](const Request& request) { return handler_(request); }) {
    Make();
    handler_ = [this](const Request& request) {
      std::vector<Response>& left = answers_[request.url];
      if (left.empty()) return Answer(404);
      Response response = left.front();
      if (left.size() > 1) left.erase(left.begin());  // the last one stays
      return response;
    };
  }

  void Make(const std::string& url = "https://registry.example:5000/team") {
    client_ = std::make_unique<Client>(ClientOptions{ParseRegistryUrl(url), {}}, transport_);
    answers_.clear();
    transport_.TakeLog();
  }

  void Page(const std::string& url, const std::string& body, const std::string& link = "") {
    Response response = Answer(200, body, {{"content-type", "text/plain"}});
    if (!link.empty()) response.headers.Add("link", link);
    answers_[url].push_back(std::move(response));
  }

  std::vector<std::string> Tags() { return Await(client_->ListTags("app"))->names; }

  std::map<std::string, std::vector<Response>> answers_;
  FakeTransport::Handler handler_;
  FakeTransport transport_;
  std::unique_ptr<Client> client_;
};

TEST_F(ListingTest, OnePageWithoutLinkIsTheEnd) {
  Page(kTags + "?n=100", R"({"name":"team/app","tags":["b","a","10","a"]})");
  EXPECT_THAT(Tags(), ElementsAre("10", "a", "b"));
  EXPECT_THAT(transport_.log, ElementsAre("GET " + kTags + "?n=100"));
}

TEST_F(ListingTest, LinksAreFollowedWithTheirQueryAsWritten) {
  // Relative, absolute, without the port, on another path, another scheme, another host.
  for (const char* link :
       {"</v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"next\"",
        "<https://registry.example:5000/v2/team/app/tags/list?last=a%2Fb&n=1>; rel=next",
        "<https://registry.example/v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"next\"",
        "</repository/hosted/v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"next\"",
        "<http://registry.example:5000/v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"next\"",
        "<https://evil.test/v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"next\"",
        "<?last=a%2Fb&n=1>; rel=\"next\"",
        "</v2/>; rel=\"first\", </v2/team/app/tags/list?last=a%2Fb&n=1>; rel=\"last next\""}) {
    Make();
    Page(kTags + "?n=100", R"({"tags":["a"]})", link);
    Page(kTags + "?last=a%2Fb&n=1", R"({"tags":["b"]})");
    EXPECT_THAT(Tags(), ElementsAre("a", "b")) << link;
    EXPECT_THAT(transport_.log,
                ElementsAre("GET " + kTags + "?n=100", "GET " + kTags + "?last=a%2Fb&n=1"));
  }
}

TEST_F(ListingTest, ALinkThatCannotBeFollowedIsAnError) {
  for (const char* link : {"<https://evil.test/page/2>; rel=\"next\"",
                           "/v2/team/app/tags/list?last=a; rel=\"next\""}) {
    Make();
    Page(kTags + "?n=100", R"({"tags":["a"]})", link);
    EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kProtocol) << link;
    EXPECT_EQ(transport_.log.size(), 1u);
  }
}

TEST_F(ListingTest, OtherRelationsAreNoNextPage) {
  Page(kTags + "?n=100", R"({"tags":["a"]})", "</v2/team/app/tags/list?n=1>; rel=\"prev\"");
  EXPECT_THAT(Tags(), ElementsAre("a"));
}

TEST_F(ListingTest, LoopsEnd) {
  Page(kTags + "?n=100", R"({"tags":["a"]})", "<?page=2>; rel=\"next\"");
  Page(kTags + "?page=2", R"({"tags":["b"]})", "<?page=2>; rel=\"next\"");
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(ListingTest, APageWithNothingNewEndsTheList) {
  int page = 0;
  handler_ = [&page](const Request&) {
    return Answer(200, R"({"tags":["a","b"]})",
                  {{"link", "<?page=" + std::to_string(++page) + ">; rel=\"next\""}});
  };
  EXPECT_THAT(Tags(), ElementsAre("a", "b"));
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(ListingTest, AnEmptyPageDoesNotEndTheList) {
  Page(kTags + "?n=100", R"({"tags":[]})", "<?page=2>; rel=\"next\"");
  Page(kTags + "?page=2", R"({"tags":["b"]})");
  EXPECT_THAT(Tags(), ElementsAre("b"));
}

TEST_F(ListingTest, EndlessPagesAreTooLarge) {
  int page = 0;
  handler_ = [&page](const Request&) {
    ++page;
    return Answer(200, "{\"tags\":[\"t" + std::to_string(page) + "\"]}",
                  {{"link", "<?page=" + std::to_string(page) + ">; rel=\"next\""}});
  };
  EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kTooLarge);
  EXPECT_EQ(transport_.log.size(), limit::kPages);
}

// The specification's MAY: n and last are honoured, and no Link is sent.
struct WithoutLink {
  std::vector<std::string> names;
  std::size_t ours = 0;  // requests with last=
  bool ignores_last = false;
  int refuses_last = 0;  // status
  const char* key = "tags";

  Response operator()(const Request& request) {
    const auto parameter = [&](const std::string& name) {
      const std::size_t at = request.url.find(name + "=");
      if (at == std::string::npos) return std::string();
      const std::size_t begin = at + name.size() + 1;
      return request.url.substr(begin, request.url.find('&', begin) - begin);
    };
    const std::string n = parameter("n");
    std::string last = parameter("last");
    if (!last.empty()) ++ours;
    if (!last.empty() && refuses_last != 0) return Answer(refuses_last);
    if (ignores_last) last.clear();
    for (std::size_t at; (at = last.find("%2F")) != std::string::npos;) last.replace(at, 3, "/");
    auto from = std::upper_bound(names.begin(), names.end(), last);
    if (last.empty()) from = names.begin();
    std::string list;
    const std::size_t most = n.empty() ? names.size() : std::stoul(n);
    for (std::size_t i = 0; i < most && from != names.end(); ++i, ++from)
      list += (list.empty() ? "\"" : ",\"") + *from + "\"";
    return Answer(200, "{\"" + std::string(key) + "\":[" + list + "]}");
  }
};

std::vector<std::string> Numbered(const std::string& prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(prefix + std::to_string(100000 + i));
  return names;
}

TEST_F(ListingTest, FullPagesWithoutLinkAreGoneOnFromTheirLastEntry) {
  WithoutLink registry{Numbered("v", 5000)};
  handler_ = std::ref(registry);
  const Listing listing = *Await(client_->ListTags("app"));
  EXPECT_EQ(listing.names, registry.names);
  EXPECT_EQ(listing.paging, Paging::kLast);
  EXPECT_EQ(transport_.log.size(), 51u);
  EXPECT_EQ(transport_.log[1], "GET " + kTags + "?n=100&last=v100099");
}

TEST_F(ListingTest, ExactlyOnePageIsWhole) {
  WithoutLink registry{Numbered("v", 100)};
  handler_ = std::ref(registry);
  EXPECT_EQ(Await(client_->ListTags("app"))->paging, Paging::kWhole);
  EXPECT_EQ(registry.ours, 1u);
  registry.ignores_last = true;
  EXPECT_EQ(Tags(), registry.names);
  EXPECT_EQ(registry.ours, 2u);
  EXPECT_EQ(Tags(), registry.names);
  EXPECT_EQ(registry.ours, 2u) << "it is known that last is ignored";
  registry.names.pop_back();
  EXPECT_EQ(Tags(), registry.names);
  EXPECT_EQ(registry.ours, 2u) << "a page with fewer entries is the end";
}

TEST_F(ListingTest, AWholeListIsReadWhereLastIsRefused) {
  for (const int status : {400, 404, 422}) {
    Make();
    WithoutLink registry{Numbered("v", 250)};
    registry.refuses_last = status;
    handler_ = std::ref(registry);
    EXPECT_EQ(Tags(), registry.names);
    EXPECT_EQ(transport_.log.back(), "GET " + kTags);
  }
  Make();
  WithoutLink registry{Numbered("v", 250)};
  registry.refuses_last = 403;
  handler_ = std::ref(registry);
  EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kUnauthorized);
}

// Entries that are no names count as entries, and `last` is the name as it was sent.
TEST_F(ListingTest, TheCatalogueIsGoneOnTheSameWay) {
  WithoutLink registry{Numbered("team/a", 2500)};
  registry.names[0] = "other/a1";
  registry.names[999] = "team/a100999";
  registry.key = "repositories";
  handler_ = std::ref(registry);
  const Listing listing = Await(client_->ListRepositories());
  EXPECT_EQ(listing.names.size(), 2499u);
  EXPECT_EQ(listing.names.back(), "a102499");
  EXPECT_EQ(listing.paging, Paging::kLast);
  EXPECT_THAT(transport_.log[1], HasSubstr("_catalog?n=1000&last=team%2Fa100999"));
}

TEST_F(ListingTest, ALinkIsBelievedToTheEnd) {
  std::string full;
  for (const std::string& name : Numbered("v", 100))
    full += (full.empty() ? "\"" : ",\"") + name + "\"";
  Page(kTags + "?n=100", R"({"tags":["a"]})", "<?page=2>; rel=next");
  Page(kTags + "?page=2", "{\"tags\":[" + full + "]}");
  const Listing listing = *Await(client_->ListTags("app"));
  EXPECT_EQ(listing.names.size(), 101u);
  EXPECT_EQ(listing.paging, Paging::kLink);
  EXPECT_EQ(transport_.log.size(), 2u);
}

TEST_F(ListingTest, NamesOutOfOrderAreSortedAndKeptOnce) {
  std::vector<std::string> names = Numbered("v", 20000);
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[(i * 7919) % names.size()];
    list += "\"" + name + "\",\"" + name + "\",";
  }
  Page(kTags + "?n=100", "{\"tags\":[" + list + "null]}");
  EXPECT_EQ(Tags(), names);
}

TEST_F(ListingTest, APageOfTooManyEntriesIsTooLarge) {
  std::string list;
  for (std::size_t i = 0; i <= limit::kPageEntries; ++i) list += "{},";
  Page(kTags + "?n=100", "{\"tags\":[" + list + "1]}");
  const Error error = ErrorOf(client_->ListTags("app"));
  EXPECT_EQ(error.kind(), ErrorKind::kTooLarge);
  EXPECT_THAT(error.what(), HasSubstr("team/app"));
}

TEST_F(ListingTest, ARefusedPageSizeIsLeftOut) {
  for (const int status : {400, 413}) {
    Make();
    answers_[kTags + "?n=100"] = {Answer(status)};
    Page(kTags, R"({"tags":["a"]})", "<?last=a>; rel=\"next\"");
    Page(kTags + "?last=a", R"({"tags":["b"]})");
    EXPECT_THAT(Tags(), ElementsAre("a", "b"));
    EXPECT_EQ(transport_.log.size(), 3u);
  }
}

TEST_F(ListingTest, AListThatBreaksInTheMiddleIsBegunAgainOnce) {
  Page(kTags + "?n=100", R"({"tags":["a","gone"]})", "<?last=gone>; rel=\"next\"");
  Page(kTags + "?n=100", R"({"tags":["a","b"]})", "<?last=b>; rel=\"next\"");
  answers_[kTags + "?last=gone"] = {Answer(404)};
  Page(kTags + "?last=b", R"({"tags":["c"]})");
  EXPECT_THAT(Tags(), ElementsAre("a", "b", "c"));
}

TEST_F(ListingTest, AListThatStaysBrokenIsAnErrorNotAnEmptyList) {
  Page(kTags + "?n=100", R"({"tags":["a"]})", "<?last=a>; rel=\"next\"");
  EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kProtocol);
  EXPECT_EQ(transport_.log.size(), 4u);
  answers_[kTags + "?last=a"] = {Answer(403)};
  EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kUnauthorized);
}

TEST_F(ListingTest, EmptyLists) {
  for (const char* body : {R"({"tags":null})", R"({"tags":[]})"}) {
    Make();
    Page(kTags + "?n=100", body);
    EXPECT_THAT(Tags(), IsEmpty());
  }
  Make();
  EXPECT_FALSE(Await(client_->ListTags("app")));  // 404
}

TEST_F(ListingTest, EntriesThatAreNoTagsAreCounted) {
  Page(kTags + "?n=100",
       R"({"tags":["ok",null,"",7,"-bad","sha256:0000","a/b","x y",{"name":"n"}]})");
  const auto listing = Await(client_->ListTags("app"));
  EXPECT_THAT(listing->names, ElementsAre("ok"));
  EXPECT_EQ(listing->invalid, 8u);
}

TEST_F(ListingTest, WhatIsNoListIsAnErrorNotAnEmptyList) {
  for (const char* body : {"<html>Log in</html>", "", "[]", "{}", R"({"tags":"a"})",
                           R"({"tags":{"a":1}})", R"({"errors":[{"code":"X"}]})", "{\"tags\":["}) {
    Make();
    Page(kTags + "?n=100", body);
    EXPECT_EQ(ErrorOf(client_->ListTags("app")).kind(), ErrorKind::kProtocol) << body;
  }
}

TEST_F(ListingTest, RepositoriesUnderThePrefix) {
  const std::string url = "https://registry.example:5000/v2/_catalog";
  Page(url + "?n=1000", R"({"repositories":["other/x","team","teams/y","team/b"]})",
       "</v2/_catalog?last=team%2Fb&n=1000>; rel=\"next\"");
  Page(url + "?last=team%2Fb&n=1000", R"({"repositories":["team/a/c","Bad",null]})");
  const Listing listing = Await(client_->ListRepositories());
  EXPECT_THAT(listing.names, ElementsAre("a/c", "b"));
  EXPECT_EQ(listing.invalid, 2u);
}

TEST_F(ListingTest, PagesOfOthersRepositoriesDoNotEndTheCatalogue) {
  const std::string url = "https://registry.example:5000/v2/_catalog";
  Page(url + "?n=1000", R"({"repositories":["a/x"]})", "<?last=a>; rel=\"next\"");
  Page(url + "?last=a", R"({"repositories":["b/x"]})", "<?last=b>; rel=\"next\"");
  Page(url + "?last=b", R"({"repositories":["team/x"]})");
  EXPECT_THAT(Await(client_->ListRepositories()).names, ElementsAre("x"));
}

TEST_F(ListingTest, ACatalogueThatIsClosed) {
  handler_ = [](const Request&) { return Answer(401); };
  const Error denied = ErrorOf(client_->ListRepositories());
  EXPECT_EQ(denied.kind(), ErrorKind::kUnauthorized);
  EXPECT_THAT(denied.what(), HasSubstr("registry \"registry.example:5000\""));
  EXPECT_THAT(denied.hint(), HasSubstr("full names"));
  handler_ = [](const Request&) { return Answer(404); };
  EXPECT_EQ(ErrorOf(client_->ListRepositories()).kind(), ErrorKind::kNotFound);
}

class ReferrersTest : public ListingTest {
 protected:
  void Serve(Response response) {
    handler_ = [response](const Request&) { return response; };
  }
  std::optional<std::vector<Descriptor>> Referrers() {
    return Await(client_->ListReferrers("app", subject_));
  }
  static Response Index(const std::string& manifests, const std::string& link = "") {
    Response response = Answer(
        200,
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
            manifests + "]}",
        {{"content-type", "application/vnd.oci.image.index.v1+json; charset=utf-8"}});
    if (!link.empty()) response.headers.Add("link", link);
    return response;
  }
  static std::string Entry(const std::string& digest) {
    return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,"digest":")" +
           digest + R"(","artifactType":"application/vnd.test"})";
  }

  const std::string subject_ = Sha256Digest("subject");
};

TEST_F(ReferrersTest, EveryPageOfThem) {
  const std::string first = Sha256Digest("1"), second = Sha256Digest("2");
  handler_ = [&](const Request& request) {
    return request.url.ends_with("?page=2") ? Index(Entry(second) + "," + Entry(first))
                                            : Index(Entry(first), "<?page=2>; rel=\"next\"");
  };
  const auto referrers = Referrers();
  ASSERT_TRUE(referrers);
  ASSERT_EQ(referrers->size(), 2u);
  EXPECT_EQ((*referrers)[0].digest, first);
  EXPECT_EQ((*referrers)[0].artifact_type, "application/vnd.test");
  EXPECT_EQ((*referrers)[1].digest, second);
  const std::string url = "GET https://registry.example:5000/v2/team/app/referrers/" + subject_;
  EXPECT_THAT(transport_.log, ElementsAre(url, url + "?page=2"));
}

TEST_F(ReferrersTest, TheyAreBoundedAndTheErrorNamesTheirSubject) {
  const auto refused = [&] {
    const Error error = ErrorOf(client_->ListReferrers("app", subject_));
    EXPECT_EQ(error.kind(), ErrorKind::kTooLarge);
    EXPECT_THAT(error.what(), HasSubstr(subject_));
    return std::string(error.what());
  };
  int page = 0;
  const auto next = [&page] { return "<?page=" + std::to_string(++page) + ">; rel=next"; };
  // A few to a page, for ever.
  handler_ = [&](const Request&) {
    return Index(Entry(Sha256Digest(std::to_string(page))), next());
  };
  EXPECT_THAT(refused(), HasSubstr("20 pages"));
  EXPECT_EQ(page, 20);
  // Very many.
  handler_ = [&](const Request&) {
    std::string entries;
    for (int i = 0; i < 300; ++i)
      entries += (i == 0 ? "" : ",") + Entry(Sha256Digest(std::to_string(page * 1000 + i)));
    return Index(entries, next());
  };
  EXPECT_THAT(refused(), HasSubstr("1000 entries"));
  // Large ones.
  const std::string large = R"(,"annotations":{"a":")" + std::string(60000, 'x') + R"("}})";
  handler_ = [&](const Request&) {
    std::string entry = Entry(Sha256Digest(std::to_string(page)));
    entry.pop_back();
    return Index(entry + large, next());
  };
  EXPECT_THAT(refused(), HasSubstr("1048576 bytes"));
  // The same large one again and again.
  handler_ = [&](const Request&) {
    std::string entry = Entry(subject_);
    entry.pop_back();
    std::string entries = entry + large;
    for (int i = 0; i < 30; ++i) entries += "," + entry + large;
    return Index(entries, next());
  };
  EXPECT_EQ(Referrers()->size(), 1u);
}

TEST_F(ReferrersTest, ARegistryWithoutThemIsRemembered) {
  const std::string index_type = "application/vnd.oci.image.index.v1+json";
  for (const Response& response :
       {Answer(404, "404 page not found"), Answer(400), Answer(405), Answer(406),
        Answer(303, "", {{"location", "https://github.test/"}}),
        Answer(200, "<html>", {{"content-type", "text/html"}}),
        Answer(200, "{\"manifests\":[]}", {{"content-type", "application/json"}}),
        Answer(200, "<html>", {{"content-type", index_type}}),
        Answer(200, "{}", {{"content-type", index_type}})}) {
    Make();
    Serve(response);
    EXPECT_FALSE(Referrers()) << response.status << response.body;
    EXPECT_FALSE(Referrers());
    EXPECT_EQ(transport_.log.size(), 1u) << response.status << response.body;
  }
}

TEST_F(ReferrersTest, ARefusalIsNotTheirAbsence) {
  for (const auto& [status, kind] :
       std::vector<std::pair<int, ErrorKind>>{{401, ErrorKind::kUnauthorized},
                                              {403, ErrorKind::kUnauthorized},
                                              {429, ErrorKind::kRateLimited},
                                              {500, ErrorKind::kServer}}) {
    Make();
    Serve(Answer(status));
    EXPECT_EQ(ErrorOf(client_->ListReferrers("app", subject_)).kind(), kind) << status;
    Serve(Index(""));
    EXPECT_TRUE(Referrers());  // asked again
  }
}

TEST_F(ReferrersTest, WhereTheyAreKnownARefusedSubjectHasNone) {
  Serve(Index(""));
  EXPECT_THAT(*Referrers(), IsEmpty());
  for (const int status : {400, 404}) {
    Serve(Answer(status));
    EXPECT_THAT(*Referrers(), IsEmpty());
  }
  Serve(Answer(200, "<html>", {{"content-type", "text/html"}}));
  EXPECT_EQ(ErrorOf(client_->ListReferrers("app", subject_)).kind(), ErrorKind::kProtocol);
}

Task<void> AskReferrers(Client& client, int* answers) {
  const auto referrers = co_await client.ListReferrers("app", Sha256Digest("subject"));
  *answers += !referrers;
}

TEST_F(ReferrersTest, OneRequestFindsOutThatThereIsNoReferrersApi) {
  handler_ = [](const Request&) { return Answer(404); };
  transport_.holding = true;
  int answers = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(AskReferrers(*client_, &answers));
    tasks.back().Start();
  }
  EXPECT_THAT(transport_.log, testing::SizeIs(1));
  transport_.held.ResumeAll();
  EXPECT_EQ(answers, 10);
  EXPECT_THAT(transport_.log, testing::SizeIs(1));
}

// A request that tells nothing holds up the others only a few times.
TEST_F(ReferrersTest, ReferrersProbesThatAreDeniedEnd) {
  handler_ = [](const Request&) { return Answer(403); };
  transport_.holding = true;
  int answers = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 10; ++i) {
    tasks.push_back(AskReferrers(*client_, &answers));
    tasks.back().Start();
  }
  for (int probe = 1; probe <= 3; ++probe) {
    EXPECT_THAT(transport_.log, testing::SizeIs(probe));
    transport_.held.ResumeAll();
  }
  EXPECT_THAT(transport_.log, testing::SizeIs(10));
  transport_.held.ResumeAll();
  for (Task<void>& task : tasks) EXPECT_THROW(task.Result(), Error);
}

}  // namespace
}  // namespace image_library::registry
