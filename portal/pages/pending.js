/** What waits for a decision, why, and how it differs from what was approved before. */
import { approvedBefore, differenceOf, failuresOf, imageOf } from '../images.js';
import { Conditions, CSV_ROWS, cursorOf, keyOf, oneOf, PAGE, pageOf, text } from '../listing.js';

const CSV = ['registry', 'repository', 'tag', 'digest', 'pinned_reference', 'kind', 'why', 'since', 'version', 'previous_digest', 'previous_approval', 'votes',
  'votes_needed', 'voters', 'problem', 'requesters', 'requested_reason', 'conflicts', 'unmet_policies', 'missing_signature'];
const SIFTED = 1000;
const WHY = ['', 'new', 'tag moved', 'expired', 'reset'];

export default async function pending(app) {
  app.get('/pending', async (request, reply) => {
    const { query } = request;
    const filter = { kind: oneOf(query.kind, ['', 'postgres', 'model', 'other']), why: oneOf(query.why, WHY), registry: text(query.registry), requested: query.requested === '1' };
    const conditions = new Conditions();
    if (filter.registry) conditions.add('registry = ?', filter.registry);
    if (filter.kind) conditions.add('kind = ?', filter.kind);
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 3);
    if (key) conditions.add('repository >= ? AND (repository, tag, registry) > (?, ?, ?)', key[0], ...key);
    // Why it waits and who requested it have no index: a page looks for them among so many that wait, and the next page goes on there.
    const sifts = Boolean(filter.why || filter.requested);
    const most = csvWanted ? CSV_ROWS : sifts ? SIFTED : PAGE + 1;
    const { where } = conditions;
    const sieve = new Conditions();
    sieve.values = conditions.values;
    if (filter.why) sieve.add('why = ?', filter.why);
    if (filter.requested) sieve.add("requesters <> '{}'");
    const rows = await request.ask(`WITH p AS MATERIALIZED (SELECT * FROM image_library.pending_images${where} ORDER BY repository, tag, registry LIMIT ${most})
      SELECT p.*, l.total, l.last FROM (SELECT * FROM p${sieve.where} ORDER BY repository, tag, registry LIMIT ${csvWanted ? CSV_ROWS : PAGE + 1}) p
      RIGHT JOIN (SELECT count(*) AS total, (SELECT ARRAY[repository, tag, registry] FROM p ORDER BY repository DESC, tag DESC, registry DESC LIMIT 1) AS last FROM p) l ON true
      ORDER BY p.repository, p.tag, p.registry`, sieve.values);
    const [{ total, last }] = rows;
    const shown = rows.filter((r) => r.digest !== null);
    if (csvWanted) return reply.csv('pending', CSV, shown);
    const found = pageOf(shown, (r) => [r.repository, r.tag, r.registry]);
    if (sifts && !found.next && total >= SIFTED) Object.assign(found, { next: cursorOf(last), sifted: total });
    return reply.page('pending', { title: 'Pending', filter, whys: WHY, found, after: text(query.after, 4000) });
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
