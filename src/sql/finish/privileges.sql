-- What repair_privileges restores. Every upgrade script does the same after its last change of a right.

DELETE FROM image_library_internal.shipped_privilege;
INSERT INTO image_library_internal.shipped_privilege (position, statement)
SELECT f.position, f.statement FROM image_library_internal.privileges_in_force() WITH ORDINALITY AS f (statement, position);
