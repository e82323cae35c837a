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

/** What is known of a digest: rows of its facts, and annotations where the library shows them. */
async function factsOf(request, image, digest) {
  const place = image.reference.slice(0, image.reference.length - image.tag.length - 1);
  const [platforms, extensions, [row]] = await Promise.all([
    request.ask('SELECT platform, size_bytes, created_at FROM image_library.image_platforms WHERE digest = $1 AND present ORDER BY platform', [digest]),
    request.ask('SELECT DISTINCT name, version FROM image_library.image_extensions WHERE digest = $1 ORDER BY name', [digest]),
    request.ask('SELECT annotations, labels, version, size_bytes, created_at FROM image_library.images WHERE registry = $1 AND repository = $2 AND tag = $3 AND digest = $4', [image.registry, image.repository, image.tag, digest]),
  ]);
  let whole = row;
  if (!whole) {
    // The library shows a digest that its tag has left only if it is a Postgres image that may still be used.
    [whole] = await request.ask('SELECT annotations, labels, version, size_bytes, created_at FROM image_library.find_postgres_image($1, $2)', [`${place}@${digest}`, image.registry], { notices: [] });
  }
  return { platforms, extensions, ...whole, known: Boolean(whole) };
}

const when = (date) => date?.toISOString().slice(0, 19).replace('T', ' ');

/**
 * Differences between two digests of a tag.
 * @returns {Promise<{rows: {part: string, name: string, before: string?, now: string?}[], known: boolean}>}
 *   `known` is false where annotations of the earlier one are not to be had
 */
export async function differenceOf(request, image, digest) {
  const [before, now] = await Promise.all([factsOf(request, image, digest), factsOf(request, image, image.digest)]);
  const rows = [];
  const compare = (part, a, b) => {
    for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()) {
      if (a[name] !== b[name]) rows.push({ part, name, before: a[name] ?? null, now: b[name] ?? null });
    }
  };
  const pairs = (list, name, value) => Object.fromEntries(list.map((r) => [r[name], String(value(r))]));
  if (before.known && now.known) {
    compare('image', { version: before.version, 'size in bytes': String(before.size_bytes), created: when(before.created_at) },
      { version: now.version, 'size in bytes': String(now.size_bytes), created: when(now.created_at) });
    compare('annotation', before.annotations ?? {}, now.annotations ?? {});
    compare('label', before.labels ?? {}, now.labels ?? {});
  }
  compare('platform, size in bytes', pairs(before.platforms, 'platform', (r) => r.size_bytes ?? 'not told'), pairs(now.platforms, 'platform', (r) => r.size_bytes ?? 'not told'));
  compare('extension', pairs(before.extensions, 'name', (r) => r.version ?? 'no version'), pairs(now.extensions, 'name', (r) => r.version ?? 'no version'));
  return { rows, known: before.known };
}
