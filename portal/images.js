/** What several pages ask about one image. */

/** The image that a query string or form names: its tag's row, or undefined. */
export async function imageOf(request, { registry, repository, tag }) {
  const [row] = await request.ask('SELECT * FROM image_library.images WHERE registry = $1 AND repository = $2 AND tag = $3', [registry, repository, tag]);
  return row;
}

/** How it waits; undefined: it does not. */
export async function waitingOf(request, { registry, repository, tag }) {
  const [row] = await request.ask('SELECT * FROM image_library.pending_images WHERE registry = $1 AND repository = $2 AND tag = $3', [registry, repository, tag]);
  return row;
}

/** Policies that it does not meet: rows, and the error if they cannot be asked. */
export async function failuresOf(request, reference, registry) {
  try {
    return { rows: await request.ask('SELECT policy, effect, reason FROM image_library.policy_failures($1, $2) ORDER BY effect, policy', [reference, registry], { notices: [] }) };
  } catch (error) {
    if (!error.severity) throw error;
    return { rows: [], error };
  }
}

/** The digest of this tag that was approved last before the one that it has now; else what it pointed at before. */
export async function approvedBefore(request, image) {
  const [row] = await request.ask(`
    SELECT h.digest, lower(h.valid) AS since, d.decided_at, d.actor
    FROM image_library.tag_history h
    LEFT JOIN LATERAL (SELECT decided_at, actor FROM image_library.decisions d
      WHERE d.registry = h.registry AND d.repository = h.repository AND d.digest = h.digest AND d.action = 'approve' AND d.new_state = 'approved'
      ORDER BY decision_id DESC LIMIT 1) d ON true
    WHERE h.registry = $1 AND h.repository = $2 AND h.tag = $3 AND h.digest <> $4
    ORDER BY d.decided_at IS NULL, lower(h.valid) DESC LIMIT 1`, [image.registry, image.repository, image.tag, image.digest]);
  return row;
}

/**
 * What is known of a digest that the image's tag points at, or pointed at. `whole` has annotations and the like; `parts`, platforms with
 * sizes and extensions; either may be undefined: the library shows a digest that no tag points at to some, and as a Postgres image that may be used to all.
 */
async function factsOf(request, image, digest) {
  const place = image.reference.slice(0, image.reference.length - image.tag.length - 1);
  const [platforms, extensions, [tagged]] = await Promise.all([
    request.ask('SELECT platform AS name, size_bytes::text AS value FROM image_library.image_platforms WHERE digest = $1 ORDER BY platform', [digest]),
    request.ask("SELECT DISTINCT name, coalesce(version, 'no version') AS value FROM image_library.image_extensions WHERE digest = $1 ORDER BY name", [digest]),
    request.ask('SELECT annotations, labels, version, size_bytes, created_at FROM image_library.images WHERE registry = $1 AND repository = $2 AND tag = $3 AND digest = $4', [image.registry, image.repository, image.tag, digest]),
  ]);
  const [whole] = tagged ? [tagged] : await request.ask('SELECT annotations, labels, version, size_bytes, created_at, platforms, extensions FROM image_library.find_postgres_image($1, $2)',
    [`${place}@${digest}`, image.registry], { notices: [] });
  const isSeen = tagged || platforms.length > 0 || extensions.length > 0;
  return {
    whole, parts: isSeen ? { platforms, extensions } : undefined,
    names: isSeen ? platforms.map((p) => p.name) : whole?.platforms,
    versions: isSeen ? extensions : whole?.extensions?.map((e) => ({ name: e.split(' ')[0], value: e.split(' ').slice(1).join(' ') || 'no version' })),
  };
}

const when = (date) => date?.toISOString().slice(0, 19).replace('T', ' ');

/**
 * Differences between two digests of a tag.
 * @returns {Promise<{rows: {part: string, name: string, before: string?, now: string?}[], known: boolean}>}
 *   `known` is false where annotations of the earlier one are not to be had, `nothing` is true where none of its facts is
 */
export async function differenceOf(request, image, digest) {
  const [before, now] = await Promise.all([factsOf(request, image, digest), factsOf(request, image, image.digest)]);
  const rows = [];
  const compare = (part, a, b) => {
    for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      // A publisher may call an annotation `constructor`, which every object has.
      const [before_, now_] = [a, b].map((all) => (Object.hasOwn(all, name) ? all[name] ?? null : null));
      if (before_ !== now_) rows.push({ part, name, before: before_, now: now_ });
    }
  };
  const pairs = (list) => Object.fromEntries(list.map((r) => [r.name, r.value ?? 'not told']));
  if (before.whole && now.whole) {
    const facts = (w) => ({ version: w.version, 'size in bytes': String(w.size_bytes), created: when(w.created_at) });
    compare('image', facts(before.whole), facts(now.whole));
    compare('annotation', before.whole.annotations ?? {}, now.whole.annotations ?? {});
    compare('label', before.whole.labels ?? {}, now.whole.labels ?? {});
  }
  if (before.parts && now.parts) compare('platform, size in bytes', pairs(before.parts.platforms), pairs(now.parts.platforms));
  else if (before.names) compare('platform', Object.fromEntries(before.names.map((n) => [n, 'there'])), Object.fromEntries((now.names ?? []).map((n) => [n, 'there'])));
  if (before.versions && now.versions) compare('extension', pairs(before.versions), pairs(now.versions));
  return { rows, known: Boolean(before.whole), nothing: !before.whole && !before.parts };
}
