-- What model serving reads: approved, present, usable models.

CREATE VIEW image_library.model_library WITH (security_barrier) AS
  SELECT g.name AS registry, e.repository, e.tag, e.digest,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag) AS reference,
         concat(concat_ws('/', g.host, nullif(g.prefix, ''), e.repository), ':', e.tag, '@', e.digest) AS pinned_reference,
         e.kind, e.approval, e.version, i.platforms, e.size_bytes, e.created_at, t.first_seen_at, t.digest_changed_at,
         e.missing_since,
         ARRAY(SELECT h.name FROM image_library._image_hm_tags h
               WHERE h.repository_id = e.repository_id AND h.tag = e.tag
               UNION SELECT unnest(e.system_tags) ORDER BY 1) AS hm_tags,
         e.title, e.description, i.annotations, i.labels,
         e.publisher, e.model, e.model_version, e.format, e.task, e.gpu_count,
         e.deprecated_from
  FROM image_library.entry e
  JOIN image_library.registry g USING (registry_id)
  LEFT JOIN image_library.image i ON i.digest = e.digest
  LEFT JOIN image_library.tag t ON t.repository_id = e.repository_id AND t.name = e.tag
  WHERE e.kind = 'model' AND e.approval = 'approved' AND e.missing_since IS NULL AND e.usable_until > now()
    AND e.registry_id <> ALL ((SELECT image_library._hidden_registries())::integer[]);
COMMENT ON VIEW image_library.model_library IS 'Approved, present AI models: what serving may run';
