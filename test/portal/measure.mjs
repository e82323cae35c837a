#!/usr/bin/env node
/**
 * Server time of each page over a library, such as one that bench/load.sql made: median of the requests that follow the first ones.
 *
 *   PGHOST=... PGPORT=... PGDATABASE=... PORTAL_USER=... PORTAL_PASSWORD=... test/portal/measure.mjs [TIMES [PART OF A NAME]]
 */
import { Client, startPortal } from './support.mjs';
import { cursorOf } from '../../portal/listing.js';

const times = Number(process.argv[2] ?? 15);
const { app, address } = await startPortal();
const client = new Client(address);
const { status, text } = await client.signIn(process.env.PORTAL_USER ?? 'carl', process.env.PORTAL_PASSWORD);
if (status !== 303) throw new Error(`not signed in: ${status} ${text}`);
const { database } = [...app.sessions.byId.values()][0];
const one = async (sql) => (await database.query(sql)).rows[0];
const image = await one("SELECT registry, repository, tag FROM image_library.images WHERE kind = 'postgres' ORDER BY repository, tag LIMIT 1");
const model = await one("SELECT registry, repository, tag FROM image_library.model_library ORDER BY repository, tag LIMIT 1");
const waits = await one('SELECT registry, repository, tag FROM image_library.pending_images ORDER BY repository, tag LIMIT 1');
const middle = cursorOf(['team50/', '', '']);
const query = (values) => new URLSearchParams(values).toString();
const pages = {
  'Home, last changed': '/', 'Home, by name': '/?sort=name', 'Home, a page in the middle': `/?sort=name&after=${middle}`, 'Home, models': '/?kind=model&sort=name',
  'Home, approved Postgres': '/?kind=postgres&approval=approved&sort=name', 'Home, last changed models': '/?kind=model', 'Home, revoked': '/?approval=revoked&sort=name',
  'Home, an HM tag that few have': '/?hm_tag=production&sort=name', 'Search, a common word': '/?q=postgresql', 'Search, a name': `/?${query({ q: image.repository.split('/').pop() })}`,
  'Search, nothing found': '/?q=unheard-of', Image: `/image?${query(image)}`, 'Image that waits': `/image?${query(waits)}`, 'Image, a model': `/image?${query(model)}`,
  Pending: '/pending', 'Pending, a page in the middle': `/pending?after=${middle}`, 'Pending, moved tags': '/pending?why=tag+moved', 'Pending, more': `/pending/more?${query(waits)}`,
  Postgres: '/postgres', 'Postgres, a page in the middle': `/postgres?after=${middle}`, 'Postgres, with an extension': '/postgres?extension=vector',
  Models: '/models', 'Models, does it fit': '/models?gpu=h100&gpus=2', Deploy: `/deploy?${query(model)}`, Repositories: '/repositories', 'Repositories, a page in the middle': `/repositories?after=${cursorOf(['team50/', ''])}`,
  'Repositories, a part of the name': '/repositories?name=llama0005', Repository: `/repository?${query({ registry: image.registry, repository: image.repository })}`, 'Repository, all tags': `/repository?${query({ registry: image.registry, repository: image.repository, tags: 'all' })}`,
  Registries: '/registries', Registry: `/registry?${query({ name: image.registry })}`, Alerts: '/registries/alerts', Rules: '/rules', Rule: '/rule?id=1', Explain: `/rules/explain?${query(image)}`,
  Decisions: '/activity/decisions', 'Decisions of a registry': `/activity/decisions?registry=${image.registry}`, Audit: '/activity/audit', Events: '/activity/events', 'In use': '/use', 'HM tags': '/hm-tags',
};
const only = process.argv[3];
for (const [name, url] of Object.entries(pages)) {
  if (only && !name.includes(only)) continue;
  const taken = [];
  let shown = '';
  for (let i = 0; i < times + 2; i += 1) {
    const answer = await client.request(url);
    if (answer.status !== 200) shown = ` (status ${answer.status})`;
    if (i >= 2) taken.push(Number(/app;dur=([0-9.]+)/.exec(answer.headers.get('server-timing'))?.[1]));
    if (i >= 2 && taken[0] > 3000) break;
  }
  taken.sort((a, b) => a - b);
  console.log(`${name.padEnd(36)} ${taken[Math.floor(taken.length / 2)].toFixed(1).padStart(8)} ms  ${taken[0].toFixed(1)} to ${taken[taken.length - 1].toFixed(1)}${shown}`);
}
await app.close();
