/** One image: facts, decisions, use, and what may be decided. */
import { approvedBefore, differenceOf, failuresOf, imageOf, waitingOf } from '../images.js';
import { text } from '../listing.js';

/** Signatures as a view of verified ones shows them, where the extension has it. */
async function signaturesOf(request, image) {
  const [{ there }] = await request.ask("SELECT to_regclass('image_library.image_signatures') IS NOT NULL AS there", []);
  if (!there) return null;
  try {
    return await request.ask('SELECT * FROM image_library.image_signatures WHERE digest = $1 LIMIT 50', [image.digest]);
  } catch (error) {
    if (!error.severity) throw error;
    return null;
  }
}

export default async function image(app) {
  app.get('/image', async (request, reply) => {
    const named = { registry: text(request.query.registry), repository: text(request.query.repository), tag: text(request.query.tag) };
    const found = await imageOf(request, named);
    if (!found) {
      return reply.page('error', {
        title: 'No such image', status: 404, lost: false,
        error: {
          message: `There is no image "${named.repository}:${named.tag}" of registry "${named.registry}" that you may see.`,
          hint: 'Its tag may be gone, or no rule takes it any more.',
        },
        explain: named,
      });
    }
    const { digest, registry, repository, tag } = found;
    const [waits, platforms, extensions, referrers, decisions, uses, drift, history, profiles, hmTags, facts, failures, signatures, conflicts] = await Promise.all([
      waitingOf(request, found),
      request.ask('SELECT * FROM image_library.image_platforms WHERE digest = $1 ORDER BY platform', [digest]),
      request.ask('SELECT DISTINCT name, version, description FROM image_library.image_extensions WHERE digest = $1 ORDER BY name LIMIT 500', [digest]),
      request.ask(`SELECT DISTINCT referrer_digest, artifact_type, size_bytes, source, first_seen_at, annotations::text FROM image_library.image_referrers
        WHERE digest = $1 AND (registry IS NULL OR registry = $2 AND repository = $3) ORDER BY artifact_type, referrer_digest LIMIT 100`, [digest, registry, repository]),
      request.ask(`SELECT * FROM image_library.decisions WHERE registry = $1 AND repository = $2 AND digest = $3
        ORDER BY decision_id DESC LIMIT 50`, [registry, repository, digest]),
      request.ask('SELECT * FROM image_library.usage WHERE registry = $1 AND repository = $2 AND (digest = $3 OR tag = $4) AND released_at IS NULL ORDER BY used_since DESC LIMIT 100', [registry, repository, digest, tag]),
      request.ask('SELECT * FROM image_library.drift WHERE registry = $1 AND repository = $2 AND (digest = $3 OR tag = $4) ORDER BY usable, consumer LIMIT 100', [registry, repository, digest, tag]),
      request.ask('SELECT digest, lower(valid) AS since, upper(valid) AS until FROM image_library.tag_history WHERE registry = $1 AND repository = $2 AND tag = $3 ORDER BY lower(valid) DESC LIMIT 20', [registry, repository, tag]),
      request.ask('SELECT DISTINCT name, engine, gpu, precision, tp, pp, gpu_count, qos, lora, gpu_memory_gb FROM image_library.model_profiles WHERE digest = $1 AND registry = $2 AND repository = $3 ORDER BY gpu_count, name LIMIT 200', [digest, registry, repository]),
      request.ask('SELECT name, color FROM image_library.hm_tags ORDER BY name', []),
      found.kind === 'model' ? request.ask('SELECT image_library.model_card($1, $2) AS card', [found.pinned_reference, registry])
        : found.kind === 'postgres' ? request.ask('SELECT flavor, major_version, build_at, variant, os, features, base_image, contested FROM image_library.postgres_images WHERE registry = $1 AND repository = $2 AND tag = $3', [registry, repository, tag]) : [],
      failuresOf(request, found.pinned_reference, registry),
      signaturesOf(request, found),
      request.ask('SELECT conflict FROM image_library.classification_conflicts WHERE registry = $1 AND repository = $2 AND tag = $3', [registry, repository, tag]),
    ]);
    const before = history.some((h) => h.digest !== digest) ? await approvedBefore(request, found) : undefined;
    const difference = before ? await differenceOf(request, found, before.digest) : null;
    return reply.page('image', {
      title: `${repository}:${tag}`, image: found, waits, platforms, extensions, referrers, decisions, uses, drift, history, profiles, hmTags, facts: facts[0],
      failures, signatures, conflicts, before, difference, colors: Object.fromEntries(hmTags.map((t) => [t.name, t.color])),
    });
  });
}
