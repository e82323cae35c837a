/** Manifests of a model: a form, what the functions of the library make of it, and a download. */
import { isFromServer } from '../database.js';
import { manifestText } from '../html.js';
import { lines, text, whole, words } from '../listing.js';

const json = (value) => text(value, 64_000) || null;
const list = (value) => words(value);
const each = (value) => lines(value);
const word = (value) => text(value) || null;

/**
 * The kinds of manifest, with the parameters that the form has: name of the SQL parameter, its type, what the field is called,
 * how the field's text is read, and a hint. An empty field is not given, so that the function's own default counts.
 */
export const MANIFESTS = {
  nim_service: {
    title: 'NIM Operator: NIMService', formats: ['nim'],
    fields: [['name', 'text', 'Name', word], ['namespace', 'text', 'Namespace', word], ['gpu_count', 'integer', 'GPUs', whole, 'number'],
      ['replicas', 'integer', 'Replicas', whole, 'number'], ['image_pull_secrets', 'text[]', 'Image pull secrets', list], ['ngc_secret', 'text', 'NGC secret', word],
      ['profile', 'text', 'Profile', word], ['nim_cache', 'text', 'NIMCache', word], ['cpu', 'text', 'CPU', word], ['memory', 'text', 'Memory', word],
      ['args', 'text[]', 'Arguments', each, 'area'], ['env', 'jsonb', 'Environment (JSON)', json, 'area'], ['overrides', 'jsonb', 'Overrides (JSON)', json, 'area']],
  },
  nim_cache: {
    title: 'NIM Operator: NIMCache', formats: ['nim'],
    fields: [['name', 'text', 'Name', word], ['namespace', 'text', 'Namespace', word], ['gpu', 'text', 'GPU', word], ['gpu_count', 'integer', 'GPUs', whole, 'number'],
      ['storage_class', 'text', 'Storage class', word], ['storage_size', 'text', 'Storage size', word], ['image_pull_secret', 'text', 'Image pull secret', word],
      ['ngc_secret', 'text', 'NGC secret', word], ['profiles', 'text[]', 'Profiles', list], ['engine', 'text', 'Engine', word], ['precision', 'text', 'Precision', word],
      ['overrides', 'jsonb', 'Overrides (JSON)', json, 'area']],
  },
  kserve_inference_service: {
    title: 'KServe: InferenceService', formats: [],
    fields: [['name', 'text', 'Name', word], ['namespace', 'text', 'Namespace', word], ['gpu_count', 'integer', 'GPUs', whole, 'number'],
      ['min_replicas', 'integer', 'Least replicas', whole, 'number'], ['max_replicas', 'integer', 'Most replicas', whole, 'number'],
      ['image_pull_secrets', 'text[]', 'Image pull secrets', list], ['runtime', 'text', 'Runtime', word], ['model_format', 'text', 'Model format', word],
      ['storage', 'text', 'Storage', word], ['cpu', 'text', 'CPU', word], ['memory', 'text', 'Memory', word], ['args', 'text[]', 'Arguments', each, 'area'],
      ['env', 'jsonb', 'Environment (JSON)', json, 'area'], ['overrides', 'jsonb', 'Overrides (JSON)', json, 'area']],
  },
  kserve_serving_runtime: {
    title: 'KServe: ServingRuntime', formats: ['nim'],
    fields: [['name', 'text', 'Name', word], ['namespace', 'text', 'Namespace', word], ['gpu_count', 'integer', 'GPUs', whole, 'number'], ['server', 'text', 'Server', word],
      ['image_pull_secrets', 'text[]', 'Image pull secrets', list], ['ngc_secret', 'text', 'NGC secret', word], ['cpu', 'text', 'CPU', word], ['memory', 'text', 'Memory', word],
      ['port', 'integer', 'Port', whole, 'number'], ['args', 'text[]', 'Arguments', each, 'area'], ['env', 'jsonb', 'Environment (JSON)', json, 'area'],
      ['overrides', 'jsonb', 'Overrides (JSON)', json, 'area']],
  },
};

/** The manifest, or what the database says against it, with the notices. */
async function manifestOf(request, kind, reference, registry, query) {
  const values = [reference, registry];
  const given = [];
  for (const [name, type, , read] of MANIFESTS[kind].fields) {
    const value = read(query[`p_${name}`]);
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    values.push(value);
    given.push(`"${name}" => $${values.length}::${type}`);
  }
  const notices = [];
  try {
    const [row] = await request.ask(`SELECT image_library.${kind}($1, ${[...given, 'registry => $2'].join(', ')}) AS manifest`, values, { notices });
    return { manifest: manifestText(row.manifest), name: row.manifest?.metadata?.name ?? 'manifest', notices };
  } catch (error) {
    if (!isFromServer(error) || error.code.startsWith('57')) throw error;
    return { error, notices };
  }
}

export default async function deploy(app) {
  app.get('/deploy', async (request, reply) => {
    const { query } = request;
    const named = { registry: text(query.registry), repository: text(query.repository), tag: text(query.tag) };
    const [model] = await request.ask('SELECT * FROM image_library.model_library WHERE registry = $1 AND repository = $2 AND tag = $3', [named.registry, named.repository, named.tag]);
    if (!model) {
      return reply.page('error', { title: 'Deploy', status: 404, lost: false,
        error: { message: `"${named.repository}:${named.tag}" is not a model that may be used.`, hint: 'A manifest names approved, present models only.' }, image: named });
    }
    const kinds = Object.keys(MANIFESTS).filter((k) => MANIFESTS[k].formats.length === 0 || MANIFESTS[k].formats.includes(model.format));
    const kind = kinds.includes(query.kind) ? query.kind : kinds[0];
    const made = await manifestOf(request, kind, model.pinned_reference, model.registry, query);
    if (query.download === '1' && made.manifest) {
      return reply.header('Content-Disposition', `attachment; filename="${made.name.replace(/[^\w.-]/g, '_')}.json"`).type('application/json; charset=utf-8').send(`${made.manifest}\n`);
    }
    if (request.headers['hx-request']) return reply.page('manifest', { part: true, made, name: 'manifest' });
    return reply.page('deploy', { title: `Deploy ${model.model ?? model.repository}`, model, kind, kinds, manifests: MANIFESTS, made, values: query });
  });
}
