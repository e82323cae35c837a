/** Rules: list, form with a live preview, and the explanation of one tag. */
import { isFromServer } from '../database.js';
import { Conditions, CSV_ROWS, lines, oneOf, text, whole } from '../listing.js';

const CSV = ['rule_id', 'registry', 'repositories', 'tags', 'exclude_tags', 'action', 'kind', 'approval', 'platforms', 'immutable_tags', 'newest', 'priority', 'enabled', 'owner', 'required_approvals', 'separate_requester', 'signed_by', 'created_at', 'created_by'];
const SHOWN = 50;

/** What the form says, as the parameters of add_rule and alter_rule: name, type and value. */
function parametersOf(form, changing) {
  const empty = changing ? { newest: 0, owner: '-', list: [] } : { newest: null, owner: null, list: null };
  const platforms = lines(form.platforms);
  const signers = lines(form.signed_by);
  const tags = lines(form.tags);
  return [
    ['repositories', 'text', text(form.repositories, 1000)], ['tags', 'text[]', tags.length ? tags : ['*']], ['exclude_tags', 'text[]', lines(form.exclude_tags)],
    ['action', 'text', oneOf(form.action, ['include', 'exclude'])], ['kind', 'text', oneOf(form.kind, ['auto', 'postgres', 'model', 'other'])],
    ['approval', 'text', oneOf(form.approval, ['manual', 'auto'])], ['platforms', 'text[]', platforms.length ? platforms : empty.list],
    ['immutable_tags', 'boolean', form.immutable_tags === '1'], ['newest', 'integer', whole(form.newest) ?? empty.newest],
    ['priority', 'integer', whole(form.priority) ?? 100], ['owner', 'regrole', text(form.owner, 63) ? quoted(text(form.owner, 63)) : empty.owner],
    ['required_approvals', 'integer', whole(form.required_approvals) ?? 1], ['separate_requester', 'boolean', form.separate_requester === '1'],
    ['signed_by', 'text[]', signers.length ? signers : empty.list],
  ];
}

/** A name as regrole reads it. */
const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

const call = (parameters, from) => parameters.map(([name, type], i) => `${name} => $${from + i}${type === 'regrole' ? '::text' : ''}::${type}`).join(', ');
const values = (parameters) => parameters.map(([, , value]) => value);

/** The form's values of a rule. */
function formOf(rule) {
  return {
    ...rule, tags: rule.tags.join('\n'), exclude_tags: rule.exclude_tags.join('\n'), platforms: (rule.platforms ?? []).join('\n'), signed_by: (rule.signed_by ?? []).join('\n'), immutable_tags: rule.immutable_tags ? '1' : '',
    separate_requester: rule.separate_requester ? '1' : '', owner: (rule.owner ?? '').replace(/^"(.*)"$/, '$1'),
  };
}

/** Effects of a rule as counts, and the first rows of them. */
async function previewOf(request, form) {
  const id = whole(form.rule_id);
  const parameters = parametersOf(form, id !== null);
  const notices = [];
  const refresh = form.refresh === '1';
  const [source, given] = id !== null
    ? [`image_library.preview_rule_change($1, ${call(parameters, 2)})`, [id, ...values(parameters)]]
    : [`image_library.preview_rule($1, ${call(parameters, 2)}, refresh => $${parameters.length + 2})`, [text(form.registry), ...values(parameters), refresh]];
  try {
    const rows = await request.ask(`
      WITH p AS MATERIALIZED (SELECT * FROM ${source})
      SELECT p.effect, count(*) AS tags, count(DISTINCT p.repository) AS repositories, sum(p.used_by) AS used_by,
             jsonb_path_query_array(jsonb_agg(jsonb_build_object('repository', p.repository, 'tag', p.tag, 'approval', p.approval)), '$[0 to ${SHOWN - 1}]') AS first
      FROM p GROUP BY p.effect ORDER BY array_position('{added,removed,kept}', p.effect)`, given, { notices, seconds: refresh ? 120 : 0 });
    return { rows, notices };
  } catch (error) {
    if (!isFromServer(error) || error.code.startsWith('57P')) throw error;
    return { rows: [], notices, error };
  }
}

export default async function rules(app) {
  app.get('/rules', async (request, reply) => {
    const { query } = request;
    const registry = text(query.registry);
    const conditions = new Conditions();
    if (registry) conditions.add('registry = ?', registry);
    const [rows, policies, registries] = await Promise.all([
      request.ask(`SELECT *, owner::text AS owner FROM image_library.rules${conditions.where} ORDER BY registry, priority, rule_id LIMIT ${CSV_ROWS}`, conditions.values),
      request.ask('SELECT * FROM image_library.policies ORDER BY name', []),
      request.ask('SELECT name FROM image_library.registries ORDER BY name', []),
    ]);
    if (query.format === 'csv') return reply.csv('rules', CSV, rows);
    return reply.page('rules', { title: 'Rules', rows, policies, registries, registry, explain: { registry: '', repository: '', tag: '' } });
  });

  app.get('/rules/explain', async (request, reply) => {
    const asked = { registry: text(request.query.registry), repository: text(request.query.repository), tag: text(request.query.tag) };
    const found = { rows: [] };
    if (asked.registry && asked.repository && asked.tag) {
      try {
        found.rows = await request.ask(`SELECT x.*, u.repositories, u.tags FROM image_library.explain_tag($1, $2, $3) x
          LEFT JOIN image_library.rules u USING (rule_id) ORDER BY x.decides DESC NULLS LAST, x.matched DESC NULLS LAST, x.rule_id`, [asked.registry, asked.repository, asked.tag]);
      } catch (error) {
        if (!isFromServer(error) || error.code.startsWith('57')) throw error;
        found.error = error;
      }
    }
    if (request.headers['hx-request']) return reply.page('explanation', { part: true, asked, found });
    const registries = await request.ask('SELECT name FROM image_library.registries ORDER BY name', []);
    return reply.page('explain', { title: 'Explain a tag', asked, found, registries });
  });

  async function ruleOf(request, id) {
    const [rule] = await request.ask('SELECT *, owner::text AS owner FROM image_library.rules WHERE rule_id = $1', [id ?? 0]);
    return rule;
  }

  app.get('/rule', async (request, reply) => {
    const id = whole(request.query.id);
    const rule = id === null ? undefined : await ruleOf(request, id);
    if (id !== null && !rule) return reply.page('error', { title: 'No such rule', status: 404, lost: false, error: { message: `There is no rule ${id} that you may see.` } });
    const registries = await request.ask('SELECT name FROM image_library.registries ORDER BY name', []);
    const form = rule ? formOf(rule) : { registry: text(request.query.registry), repositories: text(request.query.repositories, 1000), tags: '*', exclude_tags: '', platforms: '', signed_by: '', action: 'include',
      kind: 'auto', approval: 'manual', priority: '100', required_approvals: '1', newest: '', owner: '' };
    return reply.page('rule', { title: rule ? `Rule ${id}` : 'New rule', rule, form, registries });
  });

  // Also for a rule that is not saved, so it is a POST that writes nothing (with refresh: what the registry lists).
  app.post('/rule/preview', async (request, reply) => {
    const { body } = request;
    if (!text(body.repositories, 1000) || !(text(body.registry) || body.rule_id)) return reply.page('preview', { part: true, found: null });
    return reply.page('preview', { part: true, found: await previewOf(request, body) });
  });

  app.post('/rule', async (request, reply) => {
    const { body } = request;
    const id = whole(body.rule_id);
    const parameters = parametersOf(body, id !== null);
    try {
      if (id !== null) await request.ask(`SELECT image_library.alter_rule($1, ${call(parameters, 2)})`, [id, ...values(parameters)], { seconds: 120 });
      else await request.ask(`SELECT image_library.add_rule($1, ${call(parameters, 2)}) AS rule_id`, [text(body.registry), ...values(parameters)], { seconds: 120 });
      request.sayNotices();
      request.say('done', id !== null ? `Rule ${id} changed.` : 'Rule added.', { detail: 'The next sync reads what it takes.' });
      return reply.goTo('/rules');
    } catch (error) {
      request.sayError(error);
      const registries = await request.ask('SELECT name FROM image_library.registries ORDER BY name', []);
      return reply.page('rule', { title: id !== null ? `Rule ${id}` : 'New rule', status: 422, rule: id !== null ? await ruleOf(request, id) : undefined, form: body, registries });
    }
  });

  app.post('/rule/state', async (request, reply) => {
    const { body } = request;
    const action = oneOf(body.action, ['disable', 'enable', 'drop']);
    try {
      await request.ask(`SELECT image_library.${action}_rule($1)`, [whole(body.rule_id) ?? 0], { seconds: 120 });
      request.sayNotices();
      request.say('done', `Rule ${whole(body.rule_id)} ${{ disable: 'disabled', enable: 'enabled', drop: 'dropped' }[action]}.`);
    } catch (error) {
      request.sayError(error);
      return reply.goTo(`/rule?id=${whole(body.rule_id) ?? 0}`);
    }
    return reply.goTo('/rules');
  });
}
