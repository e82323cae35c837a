-- What the tests of the portal find, beyond demo/library.sql: logins, an approval by two people, a private
-- registry, a moved tag, and texts that try to be more than text.
SET search_path = image_library, public;
\set password '''correct horse'''
CREATE ROLE rita LOGIN PASSWORD :password;
CREATE ROLE carl LOGIN PASSWORD :password;
CREATE ROLE cora LOGIN PASSWORD :password;
CREATE ROLE adam LOGIN PASSWORD :password;
CREATE ROLE nobody_here LOGIN PASSWORD :password;
CREATE ROLE vault_team;
GRANT image_library_reader TO rita;
GRANT image_library_curator TO carl, cora;
GRANT image_library_admin TO adam;

SELECT add_rule('local', '{team,a-team-with-a-very-long-name}/**');
CALL sync('local');
SELECT add_rule('local', 'postgresql', tags => '{16.*}', required_approvals => 2, priority => 50);

SELECT add_registry('vault', 'http://localhost:' || split_part(:'registry', ':', 2) || '/nim', allow_private => true,
  owner => 'vault_team', private => true);
SELECT add_rule('vault', 'nvidia/**', approval => 'auto');
CALL sync('vault');

SELECT set_readme('local', 'postgresql', E'# EDB Postgres\n\nA *Postgres* image.\n\n'
  '<script>document.title = ''taken over''</script>\n\n[a link](https://www.postgresql.org/) '
  '[not a link](javascript:alert(1)) ![picture](https://tracker.example/pixel.png)\n\n'
  '| extension | version |\n|---|---|\n| vector | 0.8 |\n');
SELECT add_hm_tag('<b>bold</b>', '#b42318');
SELECT add_policy('signed', 'image_library.is_signed(image_library.images)', effect => 'warn');
