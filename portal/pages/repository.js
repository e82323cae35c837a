/** Repositories, and one of them: README, newest tags, use, HM tags, rules, history. */
import { link } from '../html.js';
import { Conditions, CSV_ROWS, keyOf, PAGE, pageOf, text } from '../listing.js';

export default async function repository(app) {
  app.get('/repositories', async (request, reply) => {
    const { query } = request;
    const filter = { registry: text(query.registry), name: text(query.name, 200) };
    const conditions = new Conditions();
    if (filter.registry) conditions.add('registry = ?', filter.registry);
    if (filter.name) conditions.add('strpos(repository, ?) > 0', filter.name);
    const csvWanted = query.format === 'csv';
    const key = csvWanted ? null : keyOf(query.after, 2);
    if (key) conditions.add('repository >= ? AND (repository, registry) > (?, ?)', key[0], ...key);
    // The keys of the page first: the view counts tags for every row that it returns.
    const rows = await request.ask(`
      SELECT r.registry, r.repository, r.tags_listed, r.tags, r.kinds, r.hm_tags, r.description, r.listing_changed_at
      FROM (SELECT registry, repository FROM image_library.repositories${conditions.where} ORDER BY repository, registry LIMIT ${csvWanted ? CSV_ROWS : PAGE + 1}) k
      CROSS JOIN LATERAL (SELECT * FROM image_library.repositories r WHERE r.registry = k.registry AND r.repository = k.repository OFFSET 0) r
      ORDER BY r.repository, r.registry`, conditions.values);
    if (csvWanted) return reply.csv('repositories', ['registry', 'repository', 'tags_listed', 'tags', 'kinds', 'hm_tags', 'description', 'listing_changed_at'], rows);
    return reply.page('repositories', { title: 'Repositories', filter, found: pageOf(rows, (r) => [r.repository, r.registry]), after: text(query.after, 4000) });
  });

  app.get('/repository', async (request, reply) => {
    const { query } = request;
    const named = [text(query.registry), text(query.repository)];
    const [found] = await request.ask('SELECT * FROM image_library.repositories WHERE registry = $1 AND repository = $2', named);
    if (!found) {
      return reply.page('error', { title: 'No such repository', status: 404, lost: false,
        error: { message: `There is no repository "${named[1]}" of registry "${named[0]}" that you may see.` } });
    }
    const key = keyOf(query.after, 1);
    const [newest, tags, rules, uses, drift, history, hmTags, problems] = await Promise.all([
      request.ask('SELECT * FROM image_library.recent_tags($1, $2, 10)', named),
      query.tags === 'all' ? request.ask(`SELECT registry, repository, tag, digest, kind, approval, version, size_bytes, created_at, missing_since FROM image_library.images
        WHERE registry = $1 AND repository = $2 AND tag > $3 ORDER BY tag LIMIT ${PAGE + 1}`, [...named, key?.[0] ?? '']) : null,
      // Which rules take its newest tag; the patterns of the others do not match the repository.
      request.ask(`SELECT u.*, x.matched, x.decides, x.reason FROM image_library.recent_tags($1, $2, 1) t
        CROSS JOIN LATERAL image_library.explain_tag($1, $2, t.tag) x JOIN image_library.rules u USING (rule_id)
        ORDER BY x.decides DESC, x.matched DESC, u.priority, u.rule_id LIMIT 50`, named),
      request.ask('SELECT * FROM image_library.usage WHERE registry = $1 AND repository = $2 AND released_at IS NULL ORDER BY used_since DESC LIMIT 50', named),
      request.ask('SELECT * FROM image_library.drift WHERE registry = $1 AND repository = $2 ORDER BY usable, consumer LIMIT 50', named),
      request.ask(`SELECT tag, digest, lower(valid) AS since, upper(valid) AS until FROM image_library.tag_history WHERE registry = $1 AND repository = $2
        ORDER BY lower(valid) DESC, tag LIMIT 20`, named),
      request.ask('SELECT name, color FROM image_library.hm_tags ORDER BY name', []),
      request.ask('SELECT tag, problem, detail, last_seen_at FROM image_library.sync_problem WHERE registry = $1 AND repository = $2 ORDER BY last_seen_at DESC LIMIT 20', named),
    ]);
    return reply.page('repository', {
      title: found.repository, repository: found, newest, all: tags ? pageOf(tags, (r) => [r.tag]) : null, rules, uses, drift, history, hmTags, problems,
      colors: Object.fromEntries(hmTags.map((t) => [t.name, t.color])), editing: query.edit === 'readme',
    });
  });

  /** Runs a statement for a form, says what came of it, and goes back. */
  async function act(request, reply, sql, values, done, back) {
    try {
      await request.ask(sql, values);
      request.sayNotices();
      request.say('done', done);
    } catch (error) {
      request.sayError(error);
    }
    return reply.goTo(back);
  }

  app.post('/repository/readme', (request, reply) => {
    const { body } = request;
    const named = { registry: text(body.registry), repository: text(body.repository) };
    const readme = typeof body.readme === 'string' ? body.readme.replaceAll('\r\n', '\n') : '';
    return act(request, reply, 'SELECT image_library.set_readme($1, $2, $3)', [named.registry, named.repository, readme.trim() ? readme : null], 'README saved.', link('/repository', named));
  });

  app.post('/repository/hm-tag', (request, reply) => {
    const { body } = request;
    const named = { registry: text(body.registry), repository: text(body.repository) };
    const removes = body.action === 'remove';
    return act(request, reply, `SELECT image_library.${removes ? 'untag_repository' : 'tag_repository'}($1, $2, $3)`,
      [named.registry, named.repository, text(body.hm_tag, 100)], removes ? 'HM tag removed.' : 'HM tag set.', link('/repository', named));
  });
}
