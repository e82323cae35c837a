// Lists of the client: tags, repositories, referrers, in all the ways registries page them.
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
    if (!link.empty()) response.headers.emplace_back("link", link);
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
    if (!link.empty()) response.headers.emplace_back("link", link);
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

}  // namespace
}  // namespace image_library::registry
