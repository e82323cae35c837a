/** What the portal answers to a client without a browser: sign-in, sessions, tokens, headers, CSV. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Client, connected, PASSWORD, PEOPLE, setCookies, sql, startPortal } from './support.mjs';

let portal;
before(async () => { portal = await startPortal(); });
after(() => portal?.app.close());

const connections = async (name) => (await sql("SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'image_library portal' AND usename = $1", [name]))[0].n;

test('without a session every page leads to the sign-in, and back', async () => {
  const client = new Client(portal.address);
  const answer = await client.request('/pending?kind=model');
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get('location'), '/sign-in?next=%2Fpending%3Fkind%3Dmodel');
  const signedIn = await client.request('/sign-in', { method: 'POST', form: { _csrf: await client.token('/sign-in'), name: PEOPLE.reader, password: PASSWORD, next: '/pending?kind=model' } });
  assert.equal(signedIn.headers.get('location'), '/pending?kind=model');
  assert.equal((await client.request('/pending?kind=model')).status, 200);
});

test('the sign-in does not lead off the site', async () => {
  for (const next of ['https://example.org/', '//example.org', '/\\example.org', 'javascript:alert(1)']) {
    const client = new Client(portal.address);
    const answer = await client.request('/sign-in', { method: 'POST', form: { _csrf: await client.token('/sign-in'), name: PEOPLE.reader, password: PASSWORD, next } });
    assert.equal(answer.headers.get('location'), '/', next);
  }
});

test('a wrong password, and a login that is not there, get the same answer', async () => {
  const one = await new Client(portal.address).signIn(PEOPLE.reader, 'wrong');
  const other = await new Client(portal.address).signIn('unheard_of', 'wrong');
  assert.equal(one.status, 401);
  assert.match(one.text, /Name or password is wrong/);
  assert.equal(other.status, 401);
  assert.match(other.text, /Name or password is wrong/);
});

test('who is not signed in does not see where the database is', async () => {
  assert.doesNotMatch((await new Client(portal.address).request('/sign-in')).text, /127\.0\.0\.1/);
  const away = await startPortal({ PGPORT: '1' });
  const answer = await new Client(away.address).signIn(PEOPLE.reader);
  assert.equal(answer.status, 503);
  assert.match(answer.text, /The database cannot be reached/);
  assert.doesNotMatch(answer.text, /ECONNREFUSED|127\.0\.0\.1/);
  await away.app.close();
});

test('the cookie of the session, and the headers of a page', async () => {
  const client = new Client(portal.address);
  const answer = await client.signIn(PEOPLE.reader);
  const cookie = setCookies(answer.headers).find((c) => c.startsWith('image_library_portal='));
  assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
  assert.equal(Buffer.from(cookie.split(/[=;]/)[1], 'base64url').length, 32);
  const page = await client.request('/');
  const policy = page.headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  for (const [, address] of page.text.matchAll(/(?:src|href|action|hx-[a-z]+)="(https?:[^"]*)"/g)) assert.fail(`another host: ${address}`);
  assert.doesNotMatch(page.text, /<script(?! src=)|<style| style=| on[a-z]+=/);
});

test('behind https the cookies are secure', async () => {
  const proxied = await startPortal({ PORTAL_TRUST_PROXY: '127.0.0.1' });
  const client = new Client(proxied.address);
  const headers = { 'x-forwarded-proto': 'https' };
  const form = await client.request('/sign-in', { headers });
  const answer = await client.request('/sign-in', { method: 'POST', headers, form: { _csrf: /name="_csrf" value="([^"]+)"/.exec(form.text)[1], name: PEOPLE.reader, password: PASSWORD } });
  for (const cookie of [...setCookies(form.headers), setCookies(answer.headers).find((c) => c.startsWith('image_library_portal='))]) assert.match(cookie, /; Secure/);
  await proxied.app.close();
});

test('every form without its token is refused', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.admin);
  const before_ = await sql('SELECT count(*)::int AS n FROM image_library.audit');
  const routes = ['/image/decision', '/pending/decision', '/image/hm-tag', '/repository/readme', '/repository/hm-tag', '/hm-tags', '/rule', '/rule/preview', '/rule/state', '/registry',
    '/registry/check', '/registry/sync', '/registry/state', '/registry/credential', '/registry/removals', '/sign-out', '/sign-in'];
  const printed = portal.app.printRoutes({ commonPrefix: false });
  assert.equal((printed.match(/\bPOST\b/g) ?? []).length, routes.length, 'every POST is in the list');
  for (const route of routes) {
    for (const token of [{}, { _csrf: 'guessed' }]) {
      const answer = await client.request(route, { method: 'POST', form: { name: 'x', action: 'add', ...token } });
      assert.equal(answer.status, 403, route);
    }
  }
  // The token of another session is none.
  const other = new Client(portal.address);
  await other.signIn(PEOPLE.admin);
  const foreign = await other.token('/hm-tags');
  assert.equal((await client.request('/hm-tags', { method: 'POST', form: { _csrf: foreign, name: 'x' } })).status, 403);
  assert.deepEqual(await sql('SELECT count(*)::int AS n FROM image_library.audit'), before_);
});

test('too many attempts: by name, and by address', async () => {
  const strict = await startPortal({ PORTAL_SIGN_INS_PER_MINUTE: '3', PORTAL_TRUST_PROXY: '127.0.0.1' });
  const attempt = async (address, name) => {
    const client = new Client(strict.address);
    const headers = { 'x-forwarded-for': address };
    return client.request('/sign-in', { method: 'POST', headers, form: { _csrf: await client.token('/sign-in'), name, password: 'wrong' } });
  };
  const byName = [];
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']) byName.push(await attempt(address, PEOPLE.curator));
  assert.deepEqual(byName.map((a) => a.status), [401, 401, 401, 429]);
  assert.ok(Number(byName[3].headers.get('retry-after')) > 0);
  const byAddress = [];
  for (const name of ['one', 'two', 'three', 'four']) byAddress.push(await attempt('198.51.100.1', name));
  assert.deepEqual(byAddress.map((a) => a.status), [401, 401, 401, 429]);
  await strict.app.close();
});

test('an address that the visitor only claims does not count', async () => {
  const strict = await startPortal({ PORTAL_SIGN_INS_PER_MINUTE: '3', PORTAL_TRUST_PROXY: '' });
  const attempt = async (portal_, name, forwarded) => {
    const client = new Client(portal_.address);
    return (await client.request('/sign-in', { method: 'POST', headers: { 'x-forwarded-for': forwarded }, form: { _csrf: await client.token('/sign-in'), name, password: 'wrong' } })).status;
  };
  const statuses = [];
  for (const n of [1, 2, 3, 4]) statuses.push(await attempt(strict, `name${n}`, `192.0.2.${n}`));
  assert.deepEqual(statuses, [401, 401, 401, 429]);
  await strict.app.close();
  // A proxy adds the address that it sees at the end; and a machine has all addresses of its network.
  const proxied = await startPortal({ PORTAL_SIGN_INS_PER_MINUTE: '3', PORTAL_TRUST_PROXY: ' 127.0.0.1, 10.0.0.0/8' });
  for (const seen of [() => '198.51.100.7', (n) => `2001:db8:0:7::${n}`]) {
    statuses.length = 0;
    for (const n of [1, 2, 3, 4]) statuses.push(await attempt(proxied, `${seen(0)}${n}`, `192.0.2.${n}, ${seen(n)}`));
    assert.deepEqual(statuses, [401, 401, 401, 429]);
  }
  assert.equal(await attempt(proxied, 'neighbour', '2001:db8:0:8::1'), 401);
  await proxied.app.close();
  const { networkOf } = await import('../../portal/session.js');
  assert.equal(networkOf('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  assert.equal(networkOf('::ffff:192.0.2.1'), '::ffff:192.0.2.1');
  const { settingsFrom } = await import('../../portal/settings.js');
  for (const wrong of ['true', '127.0.0.1,proxy.example.org', '10.0.0.0/8/8', '10.0.0.0/x']) {
    assert.throws(() => settingsFrom({ PORTAL_TRUST_PROXY: wrong }), /PORTAL_TRUST_PROXY has/, wrong);
  }
});

test('who is not asked for a password comes by an address, and a portal with names by these', async () => {
  const get = async (app, host) => (await app.inject({ url: '/sign-in', headers: { host } })).statusCode;
  const demo = await startPortal({ PGHOST: process.env.SERVER_FOLDER, PORTAL_ALLOW_TRUST: '1' });
  for (const host of ['localhost:8080', '127.0.0.1:8080', '[::1]:8080', '192.0.2.1']) assert.equal(await get(demo.app, host), 200, host);
  for (const host of ['rebound.example.org:8080', 'localhost.example.org', 'localhost:8080:8080']) assert.equal(await get(demo.app, host), 421, host);
  assert.equal((await demo.app.inject({ url: '/static/portal.css', headers: { host: 'rebound.example.org' } })).statusCode, 421);
  await demo.app.close();
  const named = await startPortal({ PORTAL_HOSTS: 'library.example.org, Portal.example.org' });
  assert.equal(await get(named.app, 'portal.example.org:443'), 200);
  assert.equal(await get(named.app, '127.0.0.1'), 421);
  await named.app.close();
  assert.equal(await get(portal.app, 'any.example.org'), 200);
});

test('a page that is not there does not lead to another site', async () => {
  const client = new Client(portal.address);
  const outside = await client.request(`${portal.address}//example.org/x`);
  assert.equal(outside.headers.get('location'), '/sign-in?next=%2F%2Fexample.org%2Fx');
  assert.match((await client.request(outside.headers.get('location'))).text, /name="next" value="\/"/);
  await client.signIn(PEOPLE.reader);
  const page = await client.request(`${portal.address}//example.org/x`);
  assert.equal(page.status, 404);
  assert.doesNotMatch(page.text, /="\/\//);
});

test('files of the portal only', async () => {
  for (const url of ['/static/../app.js', '/static/..%2fapp.js', '/static/%2e%2e/app.js', '/static/..%5capp.js', '/static/%00', '/library/..%2fpackage.json', '/static//etc/passwd']) {
    const answer = await portal.app.inject({ url });
    assert.ok([303, 400, 403, 404].includes(answer.statusCode), `${url}: ${answer.statusCode}`);
    assert.doesNotMatch(answer.body, /createApp|"dependencies"|root:/, url);
  }
});

test('a body that is no form, none at all, and an error of the portal itself', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.admin);
  const headers = { 'csrf-token': await client.token('/hm-tags') };
  const cookies = { cookie: [...client.cookies].map(([k, v]) => `${k}=${v}`).join('; ') };
  for (const type of ['application/json', 'text/plain']) {
    const answer = await portal.app.inject({ method: 'POST', url: '/hm-tags', headers: { ...headers, ...cookies, 'content-type': type }, payload: '{"name": {"a": 1}}' });
    assert.equal(answer.statusCode, 415, type);
  }
  for (const url of ['/hm-tags', '/rule/preview', '/image/decision', '/pending/decision', '/registry/check']) {
    const answer = await client.request(url, { method: 'POST', headers });
    assert.ok(answer.status < 500, `${url}: ${answer.status}`);
  }
  const session = portal.app.sessions.byId.get(client.cookies.get('image_library_portal'));
  const { database } = session;
  session.database = { query: () => { throw new TypeError('of the inside'); } };
  const answer = await client.request('/hm-tags');
  session.database = database;
  assert.equal(answer.status, 500);
  assert.match(answer.text, /Its log says why/);
  assert.doesNotMatch(answer.text, /of the inside/);
  assert.ok(portal.app.server.requestTimeout > 0, 'who sends slowly does not hold a connection for ever');
});

test('a sign-out does not wait for a statement', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.reader);
  const _csrf = await client.token('/');
  const holder = await connected();
  await holder.query('BEGIN; LOCK TABLE image_library_internal.hm_tag');
  let isAnswered = false;
  const slow = client.request('/hm-tags').then(() => { isAnswered = true; });
  for (let i = 0; i < 100; i += 1) {
    const { rows } = await holder.query("SELECT FROM pg_stat_activity WHERE application_name = 'image_library portal' AND wait_event_type = 'Lock'");
    if (rows.length) break;
    await new Promise((go) => { setTimeout(go, 50); });
  }
  assert.equal((await client.request('/sign-out', { method: 'POST', form: { _csrf } })).status, 303);
  assert.equal(isAnswered, false);
  await holder.end();
  await slow;
});

test('a session ends with the sign-out, with its connections', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.second);
  assert.equal((await client.request('/')).status, 200);
  assert.ok(await connections(PEOPLE.second) > 0);
  const session = client.cookies.get('image_library_portal');
  await client.request('/sign-out', { method: 'POST', form: { _csrf: await client.token('/') } });
  client.cookies.set('image_library_portal', session);
  assert.equal((await client.request('/')).status, 303);
  for (let i = 0; i < 50 && await connections(PEOPLE.second) > 0; i += 1) await new Promise((go) => { setTimeout(go, 50); });
  assert.equal(await connections(PEOPLE.second), 0);
});

test('the number of sessions is bounded', async () => {
  const small = await startPortal({ PORTAL_MAX_SESSIONS: '1' });
  assert.equal((await new Client(small.address).signIn(PEOPLE.reader)).status, 303);
  const second = await new Client(small.address).signIn(PEOPLE.curator);
  assert.equal(second.status, 503);
  assert.match(second.text, /Too many people/);
  await small.app.close();
});

test('an idle session ends', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.reader);
  const session = portal.app.sessions.byId.get(client.cookies.get('image_library_portal'));
  session.usedAt -= 31 * 60_000;
  assert.equal((await client.request('/')).status, 303);
});

test('a login that is taken away ends the session', async () => {
  await sql("CREATE ROLE leaver LOGIN PASSWORD 'correct horse'");
  await sql('GRANT image_library_reader TO leaver');
  const client = new Client(portal.address);
  await client.signIn('leaver');
  await sql('ALTER ROLE leaver NOLOGIN');
  await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'leaver'");
  let answer;
  for (let i = 0; i < 20; i += 1) {
    answer = await client.request('/');
    if (answer.status === 303) break;
    await new Promise((go) => { setTimeout(go, 50); });
  }
  assert.equal(answer.status, 303);
  assert.match(answer.headers.get('location'), /^\/sign-in/);
  await sql('DROP ROLE leaver');
});

test('a server that asks for no password lets nobody in', async () => {
  const open = await startPortal({ PGHOST: process.env.SERVER_FOLDER });
  const answer = await new Client(open.address).signIn(PEOPLE.admin, 'anything');
  assert.equal(answer.status, 403);
  assert.match(answer.text, /without asking for a password/);
  await open.app.close();
  const demo = await startPortal({ PGHOST: process.env.SERVER_FOLDER, PORTAL_ALLOW_TRUST: '1' });
  assert.equal((await new Client(demo.address).signIn(PEOPLE.admin, '')).status, 303);
  await demo.app.close();
});

test('a login with a zero byte does not set the connection', async () => {
  const client = new Client(portal.address);
  const _csrf = await client.token('/sign-in');
  for (const name of [`${PEOPLE.reader}\0application_name\0taken over`, `${PEOPLE.reader}\n`.concat('x')]) {
    const answer = await client.request('/sign-in', { method: 'POST', form: { _csrf, name, password: PASSWORD } });
    assert.equal(answer.status, 422);
  }
  assert.deepEqual(await sql("SELECT FROM pg_stat_activity WHERE application_name = 'taken over'"), []);
});

test('a statement that takes too long ends with a page that says so', async () => {
  const hasty = await startPortal({ PORTAL_STATEMENT_SECONDS: '1' });
  const client = new Client(hasty.address);
  await client.signIn(PEOPLE.reader);
  const holder = await connected();
  await holder.query('BEGIN; LOCK TABLE image_library_internal.hm_tag');
  const answer = await client.request('/hm-tags');
  assert.equal(answer.status, 504);
  assert.match(answer.text, /It took too long[\s\S]*statement timeout/);
  await holder.end();
  assert.equal((await client.request('/hm-tags')).status, 200);
  await hasty.app.close();
});

test('who has no role of the library is told so', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.outsider);
  const answer = await client.request('/');
  assert.equal(answer.status, 403);
  assert.match(answer.text, /permission denied/);
});

test('what the database refuses comes with detail and hint', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.reader);
  const [image] = await sql("SELECT pinned_reference FROM image_library.images WHERE repository = 'postgresql' AND tag = '17.4-2503310734'");
  const where = { registry: 'local', repository: 'postgresql', tag: '17.4-2503310734' };
  const token = await client.token('/');
  const answer = await client.request('/image/decision', { method: 'POST', form: { _csrf: token, ...where, reference: image.pinned_reference, action: 'approve' } });
  assert.equal(answer.status, 303);
  const page = await client.request(answer.headers.get('location'));
  assert.match(page.text, /Refused:[\s\S]*permission denied for function approve/);
});

test('an empty library, and a database without one', async () => {
  await sql('CREATE DATABASE empty');
  await sql('CREATE EXTENSION image_library', [], 'empty');
  const empty = await startPortal({ PGDATABASE: 'empty' });
  const client = new Client(empty.address);
  await client.signIn(PEOPLE.admin);
  for (const url of ['/', '/?sort=name', '/?q=postgres', '/pending', '/pending?why=new', '/postgres', '/postgres/catalog', '/models', '/repositories', '/registries', '/registries/alerts', '/rules', '/rule',
    '/rules/explain', '/hm-tags', '/activity/decisions', '/activity/audit', '/activity/events', '/use']) {
    assert.equal((await client.request(url)).status, 200, url);
  }
  assert.match((await client.request('/')).text, /No registry that you may see is connected/);
  await empty.app.close();
  const none = await startPortal({ PGDATABASE: 'postgres' });
  const answer = await new Client(none.address).signIn(PEOPLE.admin);
  assert.equal(answer.status, 403);
  assert.match(answer.text, /has no image library/);
  await none.app.close();
  await sql('DROP DATABASE empty WITH (FORCE)', [], 'postgres');
});

test('CSV of tables; what a spreadsheet would run has an apostrophe', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.admin);
  for (const url of ['/?', '/?q=postgres&', '/pending?', '/postgres?', '/models?', '/repositories?', '/registries?', '/registry?name=local&', '/rules?', '/hm-tags?', '/activity/decisions?', '/activity/audit?', '/activity/events?', '/use?']) {
    const answer = await client.request(`${url}format=csv`);
    assert.equal(answer.status, 200, url);
    assert.match(answer.headers.get('content-type'), /^text\/csv/);
    assert.ok(answer.text.split('\r\n').length > 2, url);
  }
  await sql("SELECT image_library.add_hm_tag('=cmd|calc', 'gray')");
  assert.match((await client.request('/hm-tags?format=csv')).text, /^'=cmd\|calc,/m);
  await sql("SELECT image_library.drop_hm_tag('=cmd|calc')");
  const { csv } = await import('../../portal/csv.js');
  assert.equal(csv(['a'], ['\n=1', '＝1', '@1', '\t=1', -1].map((a) => ({ a }))), 'a\r\n"\'\n=1"\r\n\'＝1\r\n\'@1\r\n\'\t=1\r\n-1\r\n');
});

test('pages by key: every image once, and a broken key is the first page', async () => {
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.admin);
  const { pageOf, PAGE, keyOf } = await import('../../portal/listing.js');
  const rows = Array.from({ length: PAGE + 1 }, (_, i) => ({ k: `n${i}` }));
  const page = pageOf(rows, (r) => [r.k]);
  assert.equal(page.rows.length, PAGE);
  assert.deepEqual(keyOf(page.next, 1), [`n${PAGE - 1}`]);
  for (const broken of ['%', 'e30', page.next.slice(3), '"']) assert.equal((await client.request(`/?sort=name&after=${encodeURIComponent(broken)}`)).status, 200);
  for (const key of ['W10', 'WzFlMzAwXQ', 'WzEuNV0', 'WyJ4Il0']) assert.equal((await client.request(`/activity/decisions?after=${key}`)).status, 200, key);
  const [first] = await sql('SELECT registry, repository, tag FROM image_library.images ORDER BY repository, tag, registry LIMIT 1');
  const { cursorOf } = await import('../../portal/listing.js');
  const rest = (await client.request(`/?sort=name&after=${cursorOf([first.repository, first.tag, first.registry])}`)).text;
  const [{ n }] = await sql('SELECT count(*)::int AS n FROM image_library.images');
  assert.equal((rest.match(/<th scope="row" class="name">/g) ?? []).length, n - 1);
  const [last] = await sql('SELECT digest_changed_at::text, registry, repository, tag FROM image_library.images ORDER BY digest_changed_at DESC, repository DESC, tag DESC, registry DESC LIMIT 1');
  const changed = async (...key) => ((await client.request(`/?sort=changed&after=${cursorOf(key)}`)).text.match(/<th scope="row" class="name">/g) ?? []).length;
  assert.equal(await changed(last.digest_changed_at, last.repository, last.tag, last.registry), n - 1);
  assert.equal(await changed('yesterday', last.repository, last.tag, last.registry), n);
});

test('the difference of annotations whose names every object has', async () => {
  const { differenceOf } = await import('../../portal/images.js');
  const facts = { before: { annotations: { constructor: 'old' }, version: '1' }, now: { annotations: { toString: 'new' }, version: '1' } };
  const ask = async (text, values) => (text.includes('FROM image_library.images ') ? [facts[values[3]]] : []);
  const { rows } = await differenceOf({ ask }, { reference: 'host/a:1', registry: 'r', repository: 'a', tag: '1', digest: 'now' }, 'before');
  assert.deepEqual(rows, [{ part: 'annotation', name: 'constructor', before: 'old', now: null }, { part: 'annotation', name: 'toString', before: null, now: 'new' }]);
});

test('an image that waits for a signature says for whose, and the form of its rule sets that', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' } });
  await sql('SELECT image_library.add_trust_key($1, $2)', ['releaser', publicKey]);
  const [{ id }] = await sql("SELECT image_library.add_rule('local', 'team/**', signed_by => '{releaser}', priority => 10) AS id");
  const client = new Client(portal.address);
  await client.signIn(PEOPLE.admin);
  const says = new RegExp(`rule ${id} requires a signature of releaser`);
  assert.match((await client.request('/pending')).text, says);
  assert.match((await client.request('/pending?format=csv')).text, says);
  assert.match((await client.request('/image?registry=local&repository=team/hostile&tag=1.0')).text, says);
  assert.match((await client.request('/rules')).text, /signed by releaser/);
  assert.match((await client.request(`/rule?id=${id}`)).text, /name="signed_by"[^>]*>releaser</);
  const save = async (signedBy) => client.request('/rule', { method: 'POST', form: { _csrf: await client.token(`/rule?id=${id}`), rule_id: id, repositories: 'team/*', tags: '*', signed_by: signedBy } });
  for (const [form, kept] of [['releaser\n', ['releaser']], ['', null]]) {
    assert.equal((await save(form)).headers.get('location'), '/rules');
    assert.deepEqual(await sql('SELECT repositories, signed_by FROM image_library.rules WHERE rule_id = $1', [id]), [{ repositories: 'team/*', signed_by: kept }]);
  }
  const refused = await save('nobody');
  assert.equal(refused.status, 422);
  assert.match(refused.text, /nobody/);
  await sql('SELECT image_library.drop_rule($1)', [id]);
  await sql("SELECT image_library.drop_trust_key('releaser')");
});
