/** Home: counters, sync health, and the library by search, filter and order. */
import { Conditions, CSV_ROWS, keyOf, oneOf, PAGE, pageOf, text } from '../listing.js';

const COLUMNS = 'registry, repository, tag, digest, pinned_reference, kind, approval, version, platforms, size_bytes, created_at, '
  + 'digest_changed_at, missing_since, hm_tags, title, description, valid_until, deprecated_from, quarantined_at';
const CSV = ['registry', 'repository', 'tag', 'digest', 'pinned_reference', 'kind', 'approval', 'version', 'platforms', 'size_bytes',
  'created_at', 'digest_changed_at', 'missing_since', 'hm_tags', 'title'];
const KINDS = ['', 'postgres', 'model', 'other'];
const APPROVALS = ['', 'approved', 'pending', 'rejected', 'revoked'];
const FOUND = 200;
const ORDERS = {
  name: { key: ['repository', 'tag', 'registry'], order: { direction: '', from: '>=', after: '>' } },
  changed: { key: ['digest_changed_at', 'repository', 'tag', 'registry'], order: { direction: ' DESC', from: '<=', after: '<', first: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/ } },
};
const columns = (key, direction = '') => key.map((name) => `i.${name}${direction}`).join(', ');

const CANDIDATES = 1000;
// The library sets these by itself; view hm_tags does not have them.
const SYSTEM_TAGS = ['EDB Official', 'Transparent Data Encryption'];

/** By words; an HM tag is searched like a word, since the search has an index, and then compared. */
async function search(request, { q, kind, approval, hmTag, sort }) {
  const conditions = new Conditions();
  const most = hmTag ? CANDIDATES : FOUND;
  conditions.values.push([q, ...(hmTag.match(/[\p{L}\p{N}]+/gu) ?? [])].join(' ').trim(), kind || null, most);
  if (approval) conditions.add('f.approval = ?', approval);
  if (hmTag) conditions.add('? = ANY (i.hm_tags)', hmTag);
  const order = { name: 'i.repository, i.tag, i.registry', changed: 'i.digest_changed_at DESC', size: 'i.size_bytes DESC NULLS LAST' }[sort] ?? 'f.place';
  const rows = await request.ask(`
    SELECT i.*, f.matched FROM image_library.search_images($1, $2, $3) WITH ORDINALITY AS f
      (reference, registry, repository, tag, digest, kind, approval, version, title, publisher, missing_since, matched, place)
    JOIN LATERAL (SELECT ${COLUMNS} FROM image_library.images i
                  WHERE i.registry = f.registry AND i.repository = f.repository AND i.tag = f.tag) i ON true
    ${conditions.where} ORDER BY ${order} LIMIT ${FOUND}`, conditions.values);
  return { rows, next: null, similar: rows.length > 0 && rows.every((r) => r.matched === 'similar'), most: rows.length >= FOUND };
}

async function browse(request, { kind, approval, sort }, cursor, rowsAtMost) {
  const conditions = new Conditions();
  if (kind) conditions.add('i.kind = ?', kind);
  if (approval) conditions.add('i.approval = ?', approval);
  const { key, order } = ORDERS[sort];
  const after = keyOf(cursor, key.length, order.first);
  // The first comparison is one that an index serves.
  if (after) conditions.add(`i.${key[0]} ${order.from} ? AND (${columns(key)}) ${order.after} (${key.map(() => '?').join(', ')})`, after[0], ...after);
  const rows = await request.ask(`SELECT ${COLUMNS}, i.digest_changed_at::text AS changed_at FROM image_library.images i${conditions.where}
    ORDER BY ${columns(key, order.direction)} LIMIT ${rowsAtMost ?? PAGE + 1}`, conditions.values);
  // Not the Date, which has milliseconds only.
  return rowsAtMost ? { rows } : pageOf(rows, (r) => key.map((name) => (name === 'digest_changed_at' ? r.changed_at : r[name])));
}

export default async function home(app) {
  app.get('/', async (request, reply) => {
    const { query } = request;
    const isSearch = Boolean(text(query.q, 200) || text(query.hm_tag, 100));
    const filter = {
      q: text(query.q, 200), kind: oneOf(query.kind, KINDS), approval: oneOf(query.approval, APPROVALS), hmTag: text(query.hm_tag, 100),
      sort: oneOf(query.sort, isSearch ? ['match', 'name', 'changed', 'size'] : ['changed', 'name']),
      show: oneOf(query.show, ['table', 'cards']),
    };
    if (query.format === 'csv') {
      const { rows } = isSearch ? await search(request, filter) : await browse(request, filter, '', CSV_ROWS);
      return reply.csv('images', CSV, rows);
    }
    const [found, [stats], syncs, hmTags, [notUsable]] = await Promise.all([
      isSearch ? search(request, filter) : browse(request, filter, query.after),
      request.ask('SELECT * FROM image_library.library_stats WHERE registry IS NULL', []),
      request.ask('SELECT registry, state, last_success_at, next_sync_at, last_error, problems, consecutive_failures FROM image_library.sync_status ORDER BY consecutive_failures DESC, registry LIMIT 12', []),
      request.ask('SELECT name, color FROM image_library.hm_tags ORDER BY name', []),
      request.ask('SELECT count(*) AS uses FROM image_library.drift WHERE NOT usable', []),
    ]);
    return reply.page('home', {
      title: 'Home', filter, isSearch, found, stats: stats ?? {}, syncs, hmTags: [...hmTags, ...SYSTEM_TAGS.filter((n) => !hmTags.some((t) => t.name === n)).map((name) => ({ name, color: 'gray' }))], notUsable: notUsable.uses, after: text(query.after, 4000),
      colors: Object.fromEntries(hmTags.map((t) => [t.name, t.color])),
    });
  });
}
