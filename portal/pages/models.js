/** The model library, and which models fit a number of GPUs. */
import { Conditions, CSV_ROWS, keyOf, oneOf, PAGE, pageOf, text, whole } from '../listing.js';

const CSV = ['registry', 'repository', 'tag', 'digest', 'pinned_reference', 'publisher', 'model', 'model_version', 'format', 'task', 'gpu_count', 'size_bytes', 'created_at', 'fits'];
const FORMATS = ['', 'nim', 'modelpack', 'kitops', 'docker-model', 'ollama'];

export default async function models(app) {
  app.get('/models', async (request, reply) => {
    const { query } = request;
    const filter = { format: oneOf(query.format_of, FORMATS), publisher: text(query.publisher, 100), name: text(query.name, 100),
      gpu: text(query.gpu, 100), gpus: whole(query.gpus), only: query.only === '1' };
    const asked = Boolean(filter.gpu && filter.gpus);
    // Whether a model fits is asked for each row.
    const size = asked ? PAGE / 2 : PAGE;
    const conditions = new Conditions();
    if (asked) conditions.values.push(filter.gpu, filter.gpus);
    if (filter.format) conditions.add('m.format = ?', filter.format);
    if (filter.publisher) conditions.add('lower(m.publisher) = lower(?)', filter.publisher);
    if (filter.name) conditions.add('strpos(lower(m.model), lower(?)) > 0', filter.name);
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 3);
    if (key) conditions.add('(m.repository, m.tag) >= (?, ?) AND (m.repository, m.tag, m.registry) > (?, ?, ?)', key[0], key[1], ...key);
    const fits = asked ? ', image_library.fits(m.pinned_reference, $1, $2::integer, m.registry) AS fits' : '';
    const rows = await request.ask(`
      SELECT m.*${fits} FROM (
        SELECT * FROM image_library.model_library m${conditions.where} ORDER BY m.repository, m.tag, m.registry
        LIMIT ${csvWanted ? CSV_ROWS : size + 1}) m
      ORDER BY m.repository, m.tag, m.registry`, conditions.values, { notices: [] });
    if (csvWanted) return reply.csv('models', CSV, rows);
    const found = pageOf(rows, (r) => [r.repository, r.tag, r.registry], size);
    if (asked && filter.only) found.rows = found.rows.filter((r) => r.fits !== false);
    return reply.page('models', { title: 'Models', filter, asked, formats: FORMATS, found, after: text(query.after, 4000) });
  });
}
