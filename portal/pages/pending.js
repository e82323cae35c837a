/** What waits for a decision, why, and how it differs from what was approved before. */
import { approvedBefore, differenceOf, failuresOf, imageOf } from '../images.js';
import { Conditions, CSV_ROWS, keyOf, oneOf, PAGE, pageOf, text } from '../listing.js';

const CSV = ['registry', 'repository', 'tag', 'digest', 'pinned_reference', 'kind', 'why', 'since', 'version', 'previous_digest', 'previous_approval', 'votes',
  'votes_needed', 'voters', 'problem', 'requesters', 'requested_reason', 'conflicts', 'unmet_policies'];
const WHY = ['', 'new', 'tag moved', 'expired', 'reset'];

export default async function pending(app) {
  app.get('/pending', async (request, reply) => {
    const { query } = request;
    const filter = { kind: oneOf(query.kind, ['', 'postgres', 'model', 'other']), why: oneOf(query.why, WHY), registry: text(query.registry), requested: query.requested === '1' };
    const conditions = new Conditions();
    if (filter.registry) conditions.add('registry = ?', filter.registry);
    if (filter.kind) conditions.add('kind = ?', filter.kind);
    if (filter.why) conditions.add('why = ?', filter.why);
    if (filter.requested) conditions.add("requesters <> '{}'");
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 3);
    if (key) conditions.add('repository >= ? AND (repository, tag, registry) > (?, ?, ?)', key[0], ...key);
    const rows = await request.ask(`SELECT * FROM image_library.pending_images${conditions.where}
      ORDER BY repository, tag, registry LIMIT ${csvWanted ? CSV_ROWS : PAGE + 1}`, conditions.values);
    if (csvWanted) return reply.csv('pending', CSV, rows);
    return reply.page('pending', { title: 'Pending', filter, whys: WHY, found: pageOf(rows, (r) => [r.repository, r.tag, r.registry]), after: text(query.after, 4000) });
  });

  // What opens below a row: policies, and the difference.
  app.get('/pending/more', async (request, reply) => {
    const image = await imageOf(request, { registry: text(request.query.registry), repository: text(request.query.repository), tag: text(request.query.tag) });
    if (!image) return reply.page('error_part', { part: true, lost: false, error: { message: 'The image is not there any more.' } });
    const [failures, before] = await Promise.all([failuresOf(request, image.pinned_reference, image.registry), approvedBefore(request, image)]);
    const difference = before ? await differenceOf(request, image, before.digest) : null;
    return reply.page('pending_more', { part: true, image, failures, before, difference });
  });
}
