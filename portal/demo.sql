-- People who sign in to the portal of the demo.
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest('{reader,curator,second_curator,admin}'::text[]) name
WHERE to_regrole(name) IS NULL \gexec
GRANT image_library_reader TO reader;
GRANT image_library_curator TO curator, second_curator;
GRANT image_library_admin TO admin;
