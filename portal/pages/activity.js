/** Decisions, audit and events: filtered, by pages, each with a page of its own. */
import { Conditions, CSV_ROWS, keyOf, oneOf, PAGE, pageOf, text, whole } from '../listing.js';

/** The logs: view, its number, its time, and the columns that a filter compares. */
const LOGS = {
  decisions: { view: 'decisions', number: 'decision_id', at: 'decided_at', filters: ['registry', 'repository', 'actor', 'action', 'digest'],
    csv: ['decision_id', 'decided_at', 'actor', 'action', 'registry', 'repository', 'tag', 'digest', 'old_state', 'new_state', 'reason', 'rule_id', 'policy', 'valid_until', 'deprecated_from', 'transaction', 'client_address', 'chain_position', 'row_hash'] },
  audit: { view: 'audit', number: 'audit_id', at: 'at', filters: ['registry', 'actor', 'action', 'object', 'name'],
    csv: ['audit_id', 'at', 'actor', 'action', 'object', 'name', 'registry', 'old', 'new', 'transaction', 'client_address', 'chain_position', 'row_hash'] },
  events: { view: 'events', number: 'event_id', at: 'at', filters: ['registry', 'repository', 'event', 'digest'],
    csv: ['event_id', 'at', 'event', 'registry', 'repository', 'tag', 'digest', 'detail'] },
};

/** A day or time of the form as UTC, or null. */
const moment = (value) => (/^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(value ?? '') ? `${value.replace('T', ' ')}${value.includes('T') ? '' : ' 00:00'}+00` : null);

export default async function activity(app) {
  app.get('/activity', (request, reply) => reply.redirect('/activity/decisions', 303));

  app.get('/activity/:log', async (request, reply) => {
    const { query } = request;
    const log = oneOf(request.params.log, Object.keys(LOGS));
    const { view, number, at, filters, csv } = LOGS[log];
    const filter = Object.fromEntries(filters.map((f) => [f, text(query[f], 600)]));
    const conditions = new Conditions();
    for (const name of filters) if (filter[name]) conditions.add(`${name} = ?`, filter[name]);
    const [from, until] = [moment(query.from), moment(query.until)];
    if (from) conditions.add(`${at} >= ?`, from);
    if (until) conditions.add(`${at} < ?`, until);
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 1);
    if (key) conditions.add(`${number} < ?`, whole(key[0]) ?? 0);
    const rows = await request.ask(`SELECT * FROM image_library.${view}${conditions.where} ORDER BY ${number} DESC LIMIT ${csvWanted ? CSV_ROWS : PAGE + 1}`, conditions.values);
    if (csvWanted) return reply.csv(log, csv, rows);
    return reply.page('activity', { title: `Activity: ${log}`, log, logs: Object.keys(LOGS), filters, filter, from: text(query.from, 20), until: text(query.until, 20),
      number, at, found: pageOf(rows, (r) => [r[number]]), after: text(query.after, 4000) });
  });

  app.get('/activity/:log/:number', async (request, reply) => {
    const log = oneOf(request.params.log, Object.keys(LOGS));
    const { view, number, at } = LOGS[log];
    const [row] = await request.ask(`SELECT * FROM image_library.${view} WHERE ${number} = $1`, [whole(request.params.number) ?? 0]);
    if (!row) {
      return reply.page('error', { title: 'No such row', status: 404, lost: false, error: { message: `There is no row ${request.params.number} of ${log} that you may see.` } });
    }
    return reply.page('activity_row', { title: `${log} ${row[number]}`, log, row, number, at });
  });

  app.get('/use', async (request, reply) => {
    const { query } = request;
    const filter = { consumer: text(query.consumer, 200), only: query.only === '1' };
    const conditions = new Conditions();
    if (filter.consumer) conditions.add('consumer = ?', filter.consumer);
    if (filter.only) conditions.add('NOT usable');
    const drift = await request.ask(`SELECT * FROM image_library.drift${conditions.where} ORDER BY usable, consumer, location, registry, repository LIMIT ${query.format === 'csv' ? CSV_ROWS : 500}`, conditions.values);
    if (query.format === 'csv') return reply.csv('drift', ['consumer', 'location', 'registry', 'repository', 'tag', 'digest', 'drift', 'detail', 'usable'], drift);
    const uses = await request.ask(`SELECT * FROM image_library.usage WHERE released_at IS NULL${filter.consumer ? ' AND consumer = $1' : ''} ORDER BY used_since DESC LIMIT ${PAGE}`, filter.consumer ? [filter.consumer] : []);
    return reply.page('use', { title: 'In use', filter, drift, uses });
  });
}
