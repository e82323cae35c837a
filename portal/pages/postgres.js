/** Postgres images that may be used, channels, and the catalog that CloudNativePG takes. */
import { isFromServer } from '../database.js';
import { manifestText } from '../html.js';
import { Conditions, CSV_ROWS, keyOf, oneOf, PAGE, pageOf, text, whole, words } from '../listing.js';

const CSV = ['registry', 'repository', 'tag', 'digest', 'pinned_reference', 'flavor', 'major_version', 'version', 'variant', 'os', 'features', 'extensions', 'build_at', 'hm_tags'];

/** The newest image of a channel, or why there is none. */
async function latestOf(request, channel) {
  try {
    const [row] = await request.ask('SELECT image_library.latest($1) AS reference', [channel.name], { notices: [] });
    return { ...channel, latest: row.reference };
  } catch (error) {
    if (!isFromServer(error) || error.code.startsWith('57')) throw error;
    return { ...channel, error };
  }
}

export default async function postgres(app) {
  app.get('/postgres', async (request, reply) => {
    const { query } = request;
    const filter = { flavor: oneOf(query.flavor, ['', 'postgresql', 'epas', 'pge']), major: whole(query.major), extension: text(query.extension, 100) };
    const conditions = new Conditions();
    if (filter.flavor) conditions.add('flavor = ?', filter.flavor);
    if (filter.major) conditions.add('major_version = ?', filter.major);
    if (filter.extension) {
      conditions.add(`EXISTS (SELECT FROM image_library.image_extensions x LEFT JOIN image_library.extension_aliases a ON a.alias = lower(?)
        WHERE x.digest = p.digest AND x.name IN (lower(?), a.extension))`, filter.extension, filter.extension);
    }
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 3);
    if (key) conditions.add('(repository, tag) >= (?, ?) AND (repository, tag, registry) > (?, ?, ?)', key[0], key[1], ...key);
    const [rows, channels] = await Promise.all([
      request.ask(`SELECT p.* FROM image_library.postgres_images p${conditions.where} ORDER BY repository, tag, registry LIMIT ${csvWanted ? CSV_ROWS : PAGE + 1}`, conditions.values),
      csvWanted ? [] : request.ask('SELECT * FROM image_library.channels ORDER BY name LIMIT 30', []),
    ]);
    if (csvWanted) return reply.csv('postgres_images', CSV, rows);
    const latest = await Promise.all(channels.map((c) => latestOf(request, c)));
    return reply.page('postgres', { title: 'Postgres', filter, channels: latest, found: pageOf(rows, (r) => [r.repository, r.tag, r.registry]), after: text(query.after, 4000) });
  });

  app.get('/postgres/catalog', async (request, reply) => {
    const { query } = request;
    const channels = await request.ask('SELECT name FROM image_library.channels ORDER BY name', []);
    const fields = [['namespace', 'text', text(query.namespace) || null], ['channel', 'text', text(query.channel) || null], ['flavor', 'text', text(query.flavor) || null],
      ['registry', 'text', text(query.registry) || null], ['repository', 'text', text(query.repository) || null],
      ['variant', 'text', query.variant === undefined || query.variant === '' ? null : query.variant === '-' ? '' : text(query.variant)],
      ['os', 'text', text(query.os) || null], ['majors', 'integer[]', words(query.majors).map(whole).filter((n) => n !== null)],
      ['extension_repositories', 'text[]', text(query.extension_repositories, 2000).split(/\s+/).filter(Boolean)], ['extension_settings', 'jsonb', text(query.extension_settings, 64_000) || null]];
    const values = [text(query.name, 253) || 'approved'];
    const given = [];
    for (const [name, type, value] of fields) {
      if (value === null || (Array.isArray(value) && value.length === 0)) continue;
      values.push(value);
      given.push(`, ${name} => $${values.length}::${type}`);
    }
    const made = { notices: [] };
    try {
      const [row] = await request.ask(`SELECT image_library.cnpg_image_catalog($1${given.join('')}) AS manifest`, values, { notices: made.notices });
      made.manifest = manifestText(row.manifest);
      made.name = row.manifest.metadata.name;
    } catch (error) {
      if (!isFromServer(error) || error.code.startsWith('57')) throw error;
      made.error = error;
    }
    if (query.download === '1' && made.manifest) {
      return reply.header('Content-Disposition', `attachment; filename="${made.name.replace(/[^\w.-]/g, '_')}.json"`).type('application/json; charset=utf-8').send(`${made.manifest}\n`);
    }
    if (request.headers['hx-request']) return reply.page('manifest', { part: true, made });
    return reply.page('catalog', { title: 'CloudNativePG catalog', made, channels, values: query });
  });
}
