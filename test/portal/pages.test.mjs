/** Every page in light and dark: no violation of WCAG 2.1 AA, no error of a script, a screenshot; its server time is told. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PEOPLE, shotPath, signedIn, startBrowser, startPortal, violations } from './support.mjs';

const NEMOTRON = 'registry=local&repository=nim/nvidia/llama-3.3-nemotron-super-49b-v1&tag=1.8.5';
const LLAMA = 'registry=local&repository=nim/meta/llama-3.1-8b-instruct&tag=1.3.3';
const PAGES = {
  home: '/',
  'home-search': '/?q=postgresql',
  'home-cards': '/?show=cards&sort=name',
  'home-empty': '/?q=unheard-of-thing',
  image: '/image?registry=local&repository=postgresql&tag=17.4-2503310734',
  'image-hostile': '/image?registry=local&repository=team/hostile&tag=1.0',
  'image-long': '/image?registry=local&repository=a-team-with-a-very-long-name/that-nests-its-repositories/in-many-folders/postgresql-with-everything-that-anybody-has-ever-asked-for&tag=17.4-2503310734-with-a-long-suffix-that-somebody-thought-useful',
  'image-edb': '/image?registry=local&repository=edb-postgres-advanced&tag=18.3-2605132051-full',
  'image-model': `/image?${NEMOTRON}`,
  'image-unknown': '/image?registry=local&repository=postgresql&tag=9.0',
  pending: '/pending',
  'pending-empty': '/pending?kind=other',
  postgres: '/postgres',
  catalog: '/postgres/catalog?os=trixie',
  models: '/models',
  'models-fit': '/models?gpu=h100&gpus=2',
  deploy: `/deploy?${LLAMA}&p_gpu_count=1&p_namespace=models`,
  'deploy-refused': `/deploy?${LLAMA}&p_name=Not+a+name`,
  repositories: '/repositories',
  repository: '/repository?registry=local&repository=postgresql',
  'repository-edit': '/repository?registry=local&repository=postgresql&edit=readme',
  'repository-tags': '/repository?registry=local&repository=postgresql&tags=all',
  registries: '/registries',
  registry: '/registry?name=local',
  'registry-new': '/registry/new',
  'registry-edit': '/registry/edit?name=local',
  alerts: '/registries/alerts',
  rules: '/rules',
  rule: '/rule?id=1',
  'rule-new': '/rule',
  explain: '/rules/explain?registry=local&repository=postgresql&tag=17.4-2503310734',
  'hm-tags': '/hm-tags',
  decisions: '/activity/decisions',
  decision: '/activity/decisions/1',
  audit: '/activity/audit',
  'audit-entry': '/activity/audit/1',
  events: '/activity/events',
  event: '/activity/events/1',
  use: '/use',
  'no-such-page': '/no-such-page',
};
const MOBILE = ['home', 'image', 'image-long', 'pending', 'registry', 'rule'];

let portal;
let browser;
let page;
before(async () => {
  portal = await startPortal();
  browser = await startBrowser();
  page = await signedIn(browser, portal.address, PEOPLE.admin, { colorScheme: 'light' });
});
after(async () => {
  await browser?.close();
  await portal?.app.close();
});

for (const [name, url] of Object.entries(PAGES)) {
  test(`page ${name}, in light and dark`, async (t) => {
    const response = await page.goto(url);
    assert.equal(response.status(), /unknown|no-such/.test(name) ? 404 : 200);
    if (name.startsWith('rule')) await page.waitForFunction(() => !document.querySelector('.htmx-request'));
    t.diagnostic(`${name}: ${await response.headerValue('server-timing')}`);
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: shotPath(`${name}-${scheme}`), fullPage: scheme === 'light' });
      assert.deepEqual(await violations(page), [], scheme);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    assert.deepEqual(page.complaints.splice(0).filter((c) => !/status of 404/.test(c)), []);
  });
}

test('axe sees what nobody can read', async () => {
  await page.goto('/pending');
  await page.evaluate(() => {
    document.querySelector('h1').className = '';
    document.querySelector('h1').innerHTML = '<svg width="1" height="1"></svg><font color="#fbfbfc">unseen</font> <font color="#dddddd">faint</font>';
  });
  const found = (await violations(page)).join('\n');
  assert.match(found, /color-contrast: .*nth-child\(2\)|color-contrast: font/);
  assert.ok(found.split('\n').length >= 2, found);
});

test('sign-in page', async () => {
  for (const scheme of ['light', 'dark']) {
    const page = await signedIn(browser, portal.address, null, { colorScheme: scheme });
    await page.goto('/');
    await page.screenshot({ path: shotPath(`sign-in-${scheme}`) });
    assert.deepEqual(await violations(page), []);
    await page.context().close();
  }
});

test('small windows: nothing is wider than the window', async () => {
  const page = await signedIn(browser, portal.address, PEOPLE.curator, { viewport: { width: 360, height: 740 } });
  for (const [name, url] of Object.entries(PAGES)) {
    await page.goto(url);
    if (MOBILE.includes(name)) await page.screenshot({ path: shotPath(`${name}-small`), fullPage: true });
    const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(content <= view, `${name}: ${content} > ${view}`);
  }
  await page.context().close();
});
