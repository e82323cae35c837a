/** Decisions and requests: of one image, and of a selection. */
import { link } from '../html.js';
import { text } from '../listing.js';

// What a button says, and the statement that it runs: parameters are reference, reason, registry, time.
const ACTIONS = {
  approve: { done: 'Approved', sql: 'SELECT image_library.approve($1, reason => $2, registry => $3, valid_until => $4)', timed: true },
  reject: { done: 'Rejected', sql: 'SELECT image_library.reject($1, $2, $3)' },
  revoke: { done: 'Revoked', sql: 'SELECT image_library.revoke($1, $2, $3)' },
  reset: { done: 'Set back to pending', sql: 'SELECT image_library.reset($1, $2, $3)' },
  quarantine: { done: 'In quarantine', sql: 'SELECT image_library.quarantine($1, $2, $3)' },
  release: { done: 'Quarantine ended', sql: 'SELECT image_library.release($1, $2, $3)' },
  deprecate: { done: 'Deprecated', sql: 'SELECT image_library.deprecate($1, reason => $2, registry => $3, effective => $4)', timed: true },
  undeprecate: { done: 'Deprecation ended', sql: 'SELECT image_library.undeprecate($1, $2, $3)' },
  request: { done: 'Approval requested for', sql: 'SELECT image_library.request_approval($1, $2, $3)' },
};
const MOST = 200;

/** `2026-12-31` or `2026-12-31T10:00` in UTC; null: none. */
function timeOf(value) {
  const given = text(value, 40);
  return given ? `${given}${given.includes('T') ? '' : ' 00:00'}+00` : null;
}

/** Decides on one image and says what came of it. @returns {Promise<boolean>} */
export async function decideOn(request, action, { reference, registry, repository }, reason, at) {
  const { done, sql, timed } = ACTIONS[action];
  const shown = reference.replace(/@sha256:.*$/, '');
  try {
    const values = [reference, reason || null, registry || null, ...(timed ? [at] : [])];
    await request.ask(sql, values);
  } catch (error) {
    request.sayError(error);
    return false;
  }
  request.sayNotices();
  request.session.counted = undefined;
  if (action === 'approve') {
    // With several people the call may have been a vote.
    const [waits] = await request.ask(`SELECT votes, votes_needed, voters FROM image_library.pending_images
      WHERE registry = $1 AND repository = $2 AND digest = $3 LIMIT 1`, [registry, repository, reference.split('@')[1]]);
    if (waits) {
      request.say('done', `Your vote for ${shown} counts: ${waits.votes} of ${waits.votes_needed}.`, { detail: `Votes so far: ${waits.voters.join(', ')}.` });
      return true;
    }
  }
  request.say('done', `${done}: ${shown}`);
  return true;
}

export default async function decide(app) {
  app.post('/image/decision', async (request, reply) => {
    const { body } = request;
    const image = { registry: text(body.registry), repository: text(body.repository), tag: text(body.tag) };
    const back = link('/image', image);
    if (!Object.hasOwn(ACTIONS, body.action)) {
      request.say('failed', 'Choose what to decide.');
      return reply.goTo(back);
    }
    const at = timeOf(body.action === 'deprecate' ? body.effective || new Date().toISOString().slice(0, 16) : body.valid_until);
    await decideOn(request, body.action, { ...image, reference: text(body.reference) }, text(body.reason, 10_000), at);
    return reply.goTo(back);
  });

  app.post('/pending/decision', async (request, reply) => {
    const { body } = request;
    const back = typeof body.back === 'string' ? body.back : '/pending';
    const chosen = [body.image ?? []].flat().slice(0, MOST).map((one) => {
      const [registry, repository, reference = ''] = String(one).split(' ');
      return { registry, repository, reference };
    });
    if (!['approve', 'reject'].includes(body.action) || chosen.length === 0) {
      request.say('failed', chosen.length ? 'Choose approve or reject.' : 'Select at least one image.');
      return reply.goTo(back, '/pending');
    }
    // One decision for a digest of a repository, whatever tags of it were selected.
    const seen = new Set();
    let done = 0;
    for (const one of chosen) {
      const place = one.reference.replace(/:[^:/@]+@/, '@');
      if (seen.has(`${one.registry} ${place}`)) continue;
      seen.add(`${one.registry} ${place}`);
      if (await decideOn(request, body.action, one, text(body.reason, 10_000), timeOf(body.valid_until))) done += 1;
    }
    if (seen.size > 1) request.say('note', `${done} of ${seen.size} decisions were made.`);
    return reply.goTo(back, '/pending');
  });

  app.post('/image/hm-tag', async (request, reply) => {
    const { body } = request;
    const image = { registry: text(body.registry), repository: text(body.repository), tag: text(body.tag) };
    try {
      const call = body.action === 'remove' ? 'untag_image' : 'tag_image';
      await request.ask(`SELECT image_library.${call}($1, $2, $3)`, [text(body.reference), text(body.hm_tag, 100), image.registry]);
      request.say('done', body.action === 'remove' ? 'HM tag removed.' : 'HM tag set.');
    } catch (error) {
      request.sayError(error);
    }
    return reply.goTo(link('/image', image));
  });
}
