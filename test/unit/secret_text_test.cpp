#include "core/secret_text.h"

#include <gtest/gtest.h>

#include <string>

namespace image_library {
namespace {

// Texts whose name is found, whatever is done to it.
TEST(SecretText, SpellingsOfTheName) {
  for (const char* const text : {
           "SELECT image_library.set_credential('edb', 'u', 'pw')",
           "select IMAGE_LIBRARY.SET_CREDENTIAL('edb', 'u', 'pw')",
           "SELECT Set_Credential('edb', 'u', 'pw')",
           "SELECT \"set_credential\"('edb', 'u', 'pw')",
           "SELECT \"image_library\" . \"set_credential\" ('edb', 'u', 'pw')",
           "SELECT U&\"set\\005fcredential\"('edb', 'u', 'pw')",
           "SELECT u&\"\\0073et\\+00005Fcredential\"('edb', 'u', 'pw')",
           "SELECT U&\"set!005fcredential\" UESCAPE '!'('edb', 'u', 'pw')",
           "SELECT U&\"!0073et_credential\" /* x */ -- y\n uescape\n'!' ('edb', 'u', 'pw')",
           "SELECT image_library./* x */set_credential/* /* y */ */('edb', 'u', 'pw')",
           "SELECT image_library.--\nset_credential\n('edb', 'u', 'pw')",
           "SELECT image_library.set_client_certificate('edb', 'c', 'k')",
           "SELECT SET_CLIENT_CERTIFICATE('edb', 'c', 'k')",
           "SELECT $1, image_library.set_credential($2, $3, $4)",
           "SELECT 1set_credential('edb', 'u', 'pw')",
           "SELECT 'don''t', set_credential('edb', 'u', 'pw')",
           "SELECT E'don\\'t', set_credential('edb', 'u', 'pw')",
           "SELECT 'ends with a backslash\\', set_credential('edb', 'u', 'pw')",
           "SELECT $$don't$$, set_credential('edb', 'u', 'pw')",
           "SELECT a$$b, set_credential('edb', 'u', 'pw')",
           "SELECT N'x', b'1', x'f', set_credential('edb', 'u', 'pw')",
           "/* don't */ SELECT set_credential('edb', 'u', 'pw')",
           // Mistyped: the statement fails, and its text has the secret.
           "SELECT set_credentials('edb', 'u', 'pw')",
           "SELECT \"SET_CREDENTIAL\"('edb', 'u', 'pw')",
           "SELECT set_client_cert('edb', 'c', 'k')",
           "SELECT set_credential('edb' 'u', 'pw'",
       })
    EXPECT_TRUE(MayHoldSecret(text)) << text;
}

TEST(SecretText, InsideOfOtherTexts) {
  for (const char* const text : {
           "DO $$ BEGIN PERFORM set_credential('edb', 'u', 'pw'); END $$",
           "DO $do$ BEGIN EXECUTE $x$SELECT set_credential('edb', 'u', 'pw')$x$; END $do$",
           "DO 'BEGIN PERFORM set_credential(''edb'', ''u'', ''pw''); END'",
           "DO E'BEGIN PERFORM set\\137credential(\\'edb\\', \\'u\\', \\'pw\\'); END'",
           "DO E'BEGIN PERFORM \\x73et\\u005Fc\\U00000072edential(); END'",
           "DO U&'BEGIN PERFORM set\\005Fcredential(); END'",
           "DO U&'BEGIN PERFORM set!005Fcredential(); END' UESCAPE '!'",
           "DO 'BEGIN PERFORM set_'\n  'credential(); END'",
           "DO 'BEGIN PERFORM set_' -- x\n 'credential(); END'",
           "DO 'BEGIN EXECUTE ''EXECUTE ''''SELECT set_credential()''''''; END'",
           "DO LANGUAGE plpython3u $$ plpy.execute(\"SELECT set_credential('a', 'b', 'pw')\") $$",
           "DO LANGUAGE plperl $$ spi_exec_query(q{SELECT set_credential('a', 'b', 'pw')}) $$",
           "SELECT format('%I.%I', 'image_library', 'set_credential')",
           "SQL statement \"SELECT image_library.set_credential('edb', 'u', 'pw')\"\n"
           "PL/pgSQL function inline_code_block line 1 at PERFORM",
           "statement: SELECT image_library.set_credential('edb', 'u', 'pw')",
           "-- SELECT set_credential('edb', 'u', 'pw')\nSELECT 1",
           "/* SELECT set_credential('edb', 'u', 'pw') */ SELECT 1",
           // standard_conforming_strings = off
           "SELECT 'it\\'s', set_credential('edb', 'u', 'pw'), '",
           "DO 'BEGIN PERFORM set\\137credential(); END'",
       })
    EXPECT_TRUE(MayHoldSecret(text)) << text;
}

TEST(SecretText, TextsThatAreCutOff) {
  for (const char* const text : {
           "SELECT set_credential('edb', 'u', 'pw",
           "DO $$ BEGIN PERFORM set_credential('edb', 'u', 'pw",
           "DO $$ BEGIN PERFORM set_c",
           "SELECT \"set_creden",
           "SELECT image_library.set_client_",
           "/* SELECT set_credential('edb', 'u', 'pw')",
           "DO E'PERFORM set_credential(\\'edb\\', \\",
       })
    EXPECT_TRUE(MayHoldSecret(text)) << text;
}

TEST(SecretText, UrlsWithAUser) {
  EXPECT_TRUE(MayHoldSecret("SELECT add_registry('x', 'https://robot:pw@example.org')"));
  EXPECT_TRUE(MayHoldSecret("SELECT ADD_REGISTRY('x', 'robot:pw@example.org')"));
  EXPECT_TRUE(
      MayHoldSecret("SELECT alter_registry('x', url => E'https://robot:pw\\x40example.org')"));
  EXPECT_FALSE(MayHoldSecret("SELECT add_registry('x', 'https://example.org')"));
  EXPECT_FALSE(MayHoldSecret("SELECT drop_registry('x'), 'a@b'"));
}

TEST(SecretText, OthersAreLeftAlone) {
  for (const char* const text : {
           "",
           "'",
           "\"",
           "$",
           "$$",
           "$x$",
           "/*",
           "--",
           "U&",
           "U&'",
           "E'\\",
           "E'\\x",
           "e",
           "U&'\\",
           "U&'\\+12",
           "U&\"a\" UESCAPE",
           "U&\"a\" UESCAPE '",
           "SELECT image_library.set_credential_file('edb', 'edb.json')",
           "SELECT image_library.set_credential_variable('edb', 'u', 'IMAGE_LIBRARY_EDB')",
           "SELECT image_library.drop_credential('edb')",
           "SELECT * FROM image_library.registries",
           "SELECT my_set_credential_count FROM t",
           "SELECT 'a' || 'set' || '_' || 'credential'",
           "UPDATE t SET credential = 'x'",
           "SELECT a-- b\n, c /* d */ FROM $1 WHERE x = $2",
       })
    EXPECT_FALSE(MayHoldSecret(text)) << text;
}

// Levels of quotes: as deep as anybody writes, and never without an end.
TEST(SecretText, DeepQuotes) {
  std::string text = "SELECT 1 AS harmless";
  for (int level = 0; level < 6; ++level) {
    const std::string mark = "$l" + std::to_string(level) + "$";
    text = "DO " + mark + text + mark;
  }
  EXPECT_FALSE(MayHoldSecret(text));
  std::string secret = "SELECT set_credential()";
  for (int level = 0; level < 50; ++level) {
    const std::string mark = "$l" + std::to_string(level) + "$";
    secret = "DO " + mark + secret + mark;
    EXPECT_TRUE(MayHoldSecret(secret)) << level;
  }
  EXPECT_TRUE(MayHoldSecret(std::string(100000, '\'') + "set_credential"));
  EXPECT_FALSE(MayHoldSecret(std::string(100000, '/') + std::string(100000, '$')));
}

}  // namespace
}  // namespace image_library
