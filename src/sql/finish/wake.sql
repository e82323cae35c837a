-- The agent looks at the database when this commits. Every upgrade script ends in the same way: what made workers fail
-- may be gone.

SELECT image_library_internal.wake_agent();
