/** Registries: state, settings, check, sync with its progress, credentials. */
import { isFromServer } from '../database.js';
import { link } from '../html.js';
import { CSV_ROWS, oneOf, text, whole, words } from '../listing.js';

const CSV = ['name', 'url', 'enabled', 'state', 'repositories', 'tags', 'problems', 'last_success_at', 'next_sync_at', 'last_error', 'consecutive_failures', 'owner', 'private', 'sync_interval'];
const LIST = `SELECT g.*, g.owner::text AS owner, s.state, s.repositories, s.tags, s.problems, s.last_started_at, s.last_finished_at, s.last_success_at, s.next_sync_at, s.last_error,
  s.consecutive_failures, s.not_before, s.failing_since FROM image_library.registries g LEFT JOIN image_library.sync_status s ON s.registry = g.name`;

const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

/** Parameters of add_registry and alter_registry; what a form leaves empty is the default, or taken away. */
function parametersOf(form, changing) {
  const none = changing ? { n: 0, t: '', owner: '-' } : { n: null, t: null, owner: null };
  const parameters = [
    ['url', 'text', text(form.url, 2000)], ['sync_interval', 'interval', text(form.sync_interval, 60) || '15 min'], ['max_connections', 'integer', whole(form.max_connections) ?? 16],
    ['requests_per_second', 'integer', whole(form.requests_per_second) ?? none.n], ['requests_per_run', 'integer', whole(form.requests_per_run) ?? none.n],
    ['allow_private', 'boolean', form.allow_private === '1'], ['owner', 'regrole', text(form.owner, 63) ? quoted(text(form.owner, 63)) : none.owner],
    ['private', 'boolean', form.private === '1'], ['proxy', 'text', text(form.proxy, 500) || none.t], ['realm_hosts', 'text[]', words(form.realm_hosts)],
  ];
  // Its text is not shown, so an empty field keeps it.
  if (text(form.ca_certificate, 100_000)) parameters.push(['ca_certificate', 'text', form.ca_certificate]);
  return parameters;
}
const call = (parameters) => parameters.map(([name, type], i) => `${name} => $${i + 2}${type === 'regrole' || type === 'interval' ? '::text' : ''}::${type}`).join(', ');

export default async function registries(app) {
  app.get('/registries', async (request, reply) => {
    const rows = await request.ask(`${LIST} ORDER BY g.name LIMIT ${CSV_ROWS}`, []);
    if (request.query.format === 'csv') return reply.csv('registries', CSV, rows);
    const [agent] = await request.ask('SELECT state, last_error, workers, preloaded FROM image_library.agent_status()', []).catch((error) => {
      if (error.code === '42501') return [];
      throw error;
    });
    return reply.page('registries', { title: 'Registries', rows, agent });
  });

  // What an operator should look at; reads more than a page should wait for in a large library, so it is asked for.
  app.get('/registries/alerts', async (request, reply) => {
    const rows = await request.ask('SELECT * FROM image_library.alerts() ORDER BY severity, alert, registry', [], { seconds: 60 });
    return reply.page('alerts', { part: Boolean(request.headers['hx-request']), title: 'Alerts', rows });
  });

  async function registryOf(request, name) {
    const [row] = await request.ask(`${LIST} WHERE g.name = $1`, [name]);
    return row;
  }

  app.get('/registry', async (request, reply) => {
    const name = text(request.query.name);
    const found = await registryOf(request, name);
    if (!found) return reply.page('error', { title: 'No such registry', status: 404, lost: false, error: { message: `There is no registry "${name}" that you may see.` } });
    if (request.query.format === 'csv') {
      return request.query.table === 'problems'
        ? reply.csv('sync_problem', ['repository', 'tag', 'problem', 'detail', 'first_seen_at', 'last_seen_at'],
          await request.ask(`SELECT * FROM image_library.sync_problem WHERE registry = $1 ORDER BY repository, tag LIMIT ${CSV_ROWS}`, [name]))
        : reply.csv('sync_run', ['run_id', 'started_at', 'finished_at', 'cause', 'outcome', 'error', 'requests', 'bytes', 'not_modified', 'retries', 'repositories', 'tags_seen', 'images_added', 'tags_moved', 'tags_missing', 'problems'],
          await request.ask(`SELECT * FROM image_library.sync_run WHERE registry = $1 ORDER BY run_id DESC LIMIT ${CSV_ROWS}`, [name]));
    }
    const [runs, problems, refused, rules] = await Promise.all([
      request.ask('SELECT * FROM image_library.sync_run WHERE registry = $1 ORDER BY run_id DESC LIMIT 15', [name]),
      request.ask('SELECT * FROM image_library.sync_problem WHERE registry = $1 ORDER BY last_seen_at DESC LIMIT 50', [name]),
      request.ask('SELECT * FROM image_library.refused_removals WHERE registry = $1 AND accepted_at IS NULL ORDER BY refused_at DESC LIMIT 50', [name]),
      request.ask('SELECT count(*) AS rules FROM image_library.rules WHERE registry = $1 AND enabled', [name]),
    ]);
    return reply.page('registry', { title: name, registry: found, runs, problems, refused, rules: rules[0].rules });
  });

  app.get('/registry/new', (request, reply) => reply.page('registry_form', { title: 'Connect a registry', registry: null, form: { sync_interval: '15 min', max_connections: '16' } }));

  app.get('/registry/edit', async (request, reply) => {
    const found = await registryOf(request, text(request.query.name));
    if (!found) return reply.page('error', { title: 'No such registry', status: 404, lost: false, error: { message: 'There is no such registry that you may see.' } });
    const form = { ...found, realm_hosts: (found.realm_hosts ?? []).join('\n'), allow_private: found.allow_private ? '1' : '', private: found.private ? '1' : '', owner: (found.owner ?? '').replace(/^"(.*)"$/, '$1') };
    return reply.page('registry_form', { title: `Change ${found.name}`, registry: found, form });
  });

  app.post('/registry', async (request, reply) => {
    const { body } = request;
    const name = text(body.name);
    const changing = body.changing === '1';
    const parameters = parametersOf(body, changing);
    try {
      await request.ask(`SELECT image_library.${changing ? 'alter' : 'add'}_registry($1, ${call(parameters)})`, [name, ...parameters.map(([, , v]) => v)]);
      request.sayNotices();
      request.say('done', changing ? `Registry "${name}" changed.` : `Registry "${name}" connected.`, changing ? {} : { detail: 'Check it, give it a credential if it needs one, and add a rule: without a rule nothing is read.' });
      return reply.goTo(link('/registry', { name }));
    } catch (error) {
      request.sayError(error);
      return reply.page('registry_form', { title: changing ? `Change ${name}` : 'Connect a registry', status: 422, registry: changing ? { name } : null, form: body });
    }
  });

  app.post('/registry/check', async (request, reply) => {
    const found = {};
    try {
      found.rows = await request.ask('SELECT * FROM image_library.check_registry($1)', [text(request.body.name)], { seconds: 120, notices: [] });
    } catch (error) {
      if (!isFromServer(error) || error.code.startsWith('57P')) throw error;
      found.error = error;
    }
    if (request.headers['hx-request']) return reply.page('check', { part: true, found });
    return reply.page('check_page', { title: `Check of ${text(request.body.name)}`, found, name: text(request.body.name) });
  });

  app.post('/registry/sync', async (request, reply) => {
    const name = text(request.body.name);
    const [last] = await request.ask('SELECT max(run_id) AS run FROM image_library.sync_run WHERE registry = $1', [name]);
    try {
      await request.ask('SELECT image_library.request_sync($1)', [name]);
      request.sayNotices();
      request.say('done', `A sync of "${name}" is asked for; the agent begins it.`);
    } catch (error) {
      request.sayError(error);
    }
    return reply.goTo(link('/registry', { name, watch: String(last.run ?? 0) }));
  });

  // Asked every two seconds while a run is on.
  app.get('/registry/progress', async (request, reply) => {
    const name = text(request.query.name);
    const [found, [run], [agent]] = await Promise.all([registryOf(request, name),
      request.ask('SELECT * FROM image_library.sync_run WHERE registry = $1 ORDER BY run_id DESC LIMIT 1', [name]),
      request.ask('SELECT state, last_error FROM image_library.agent_status()', []).catch(() => [])]);
    const rounds = (whole(request.query.rounds) ?? 0) + 1;
    const runs = found?.state === 'running';
    // The run that was there when the sync was asked for; not begun yet counts as going on for half a minute.
    const watch = whole(request.query.watch) ?? 0;
    const isDone = run?.run_id > watch && run.finished_at !== null;
    return reply.page('progress', { part: true, registry: found, run, agent, runs, rounds, watch, goesOn: rounds < 900 && (runs || !isDone && rounds < 15) });
  });

  async function act(request, reply, sql, values, done, back, more) {
    try {
      await request.ask(sql, values, more);
      request.sayNotices();
      request.say('done', done);
    } catch (error) {
      request.sayError(error);
    }
    return reply.goTo(back);
  }

  app.post('/registry/state', (request, reply) => {
    const name = text(request.body.name);
    const action = oneOf(request.body.action, ['disable', 'enable', 'drop']);
    return act(request, reply, `SELECT image_library.${action}_registry($1)`, [name], `Registry "${name}" ${{ disable: 'disabled', enable: 'enabled', drop: 'dropped' }[action]}.`,
      action === 'drop' ? '/registries' : link('/registry', { name }), { seconds: 120 });
  });

  app.post('/registry/credential', (request, reply) => {
    const { body } = request;
    const name = text(body.name);
    const prefix = text(body.repository_prefix, 500);
    const back = link('/registry', { name });
    if (body.action === 'drop') return act(request, reply, 'SELECT image_library.drop_credential($1, $2)', [name, prefix], 'Credential removed.', back);
    if (text(body.file)) return act(request, reply, 'SELECT image_library.set_credential_file($1, $2, $3)', [name, text(body.file), prefix], 'Credential set from the file.', back);
    return act(request, reply, 'SELECT image_library.set_credential($1, $2, $3, $4)', [name, text(body.username), String(body.secret ?? ''), prefix], 'Credential set.', back);
  });

  app.post('/registry/removals', (request, reply) => {
    const name = text(request.body.name);
    return act(request, reply, 'SELECT image_library.accept_removals($1, $2)', [name, text(request.body.repository)], 'Removals accepted; the next sync makes them.', link('/registry', { name }));
  });
}
