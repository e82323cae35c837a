/** What people do in a browser: decide, alone and together; look; and what happens when the database is away. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { PEOPLE, shotPath, signedIn, sql, startBrowser, startPortal, violations } from './support.mjs';

let portal;
let browser;
before(async () => {
  portal = await startPortal();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await portal?.app.close();
});
const image = (repository, tag) => `/image?registry=local&repository=${repository}&tag=${tag}`;

/** A test with people of their own, whose windows are closed at its end. */
function people(name, names, run) {
  test(name, async (t) => {
    const pages = await Promise.all(names.map((n) => signedIn(browser, portal.address, n)));
    try {
      await run(...pages, t);
      for (const page of pages) assert.deepEqual(page.complaints, []);
    } finally {
      await Promise.all(pages.map((page) => page.context().close()));
    }
  });
}

people('a reader sees the library, asks for an approval, and has no buttons to decide', [PEOPLE.reader], async (page) => {
  await page.getByRole('link', { name: '17.4-2503310734', exact: false }).first().click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Approve', exact: true }).count(), 0);
  await page.goto(image('postgresql', '17.4-2503310734'));
  await page.getByLabel('Ask for it').fill('needed by the orders cluster');
  await page.getByRole('button', { name: 'Request approval' }).click();
  await page.getByText('Approval requested for').waitFor();
  await page.getByText('rita: needed by the orders cluster').waitFor();
});

people('two people approve one image', [PEOPLE.curator, PEOPLE.second], async (one, two) => {
  const url = image('postgresql', '16.8-2503191025');
  await one.goto(url);
  await one.getByLabel('Reason', { exact: true }).fill('release notes read');
  await one.getByRole('button', { name: 'Vote to approve' }).click();
  await one.getByText('Your vote for').waitFor();
  await one.getByText('1 of 2: carl').waitFor();
  assert.match(await one.locator('h1').innerText(), /pending/);
  // The same person again is refused or counts once.
  await one.getByRole('button', { name: 'Vote to approve' }).click();
  await one.getByText('1 of 2: carl').waitFor();
  await two.goto(url);
  await two.getByLabel('Reason', { exact: true }).fill('tested');
  await two.getByRole('button', { name: 'Vote to approve' }).click();
  await two.getByText('Approved:').waitFor();
  assert.match(await two.locator('h1').innerText(), /approved/);
  const decisions = await sql("SELECT actor::text, action, new_state, reason FROM image_library.decisions WHERE tag = '16.8-2503191025' ORDER BY decision_id");
  assert.deepEqual(decisions.filter((d) => d.reason).map((d) => [d.actor, d.new_state, d.reason]), [['carl', 'pending', 'release notes read'], ['cora', 'approved', 'tested']]);
});

people('a private registry is there for its team and admins only', [PEOPLE.reader, PEOPLE.admin], async (reader, admin) => {
  const places = ['/', '/?q=nemotron', '/registries', '/rules', '/repositories', '/models', '/activity/decisions', '/activity/events', '/activity/audit'];
  for (const place of places) {
    await reader.goto(place);
    assert.doesNotMatch(await reader.content(), /vault/, place);
  }
  await admin.goto('/registries');
  assert.match(await admin.content(), /vault/);
  for (const place of ['/registry?name=vault', '/repository?registry=vault&repository=nvidia/llama-3.3-nemotron-super-49b-v1',
    '/image?registry=vault&repository=nvidia/llama-3.3-nemotron-super-49b-v1&tag=1.8.5']) {
    assert.equal((await reader.goto(place)).status(), 404, place);
    assert.equal((await admin.goto(place)).status(), 200, place);
  }
  reader.complaints.length = 0; // the 404s
});

people('a script in an annotation, a label, a README or a name stays text', [PEOPLE.curator], async (page) => {
  for (const place of ['/?q=hostile', '/?show=cards&sort=name', image('team/hostile', '1.0'), '/pending', '/repository?registry=local&repository=team/hostile', '/repository?registry=local&repository=postgresql', '/hm-tags', '/activity/audit']) {
    await page.goto(place);
    assert.doesNotMatch(await page.title(), /taken over/, place);
    assert.equal(await page.locator('main script, main img, main b:text("bold"), main iframe').count(), 0, place);
    const addresses = await page.locator('main a').evaluateAll((links) => links.map((a) => a.protocol));
    assert.ok(addresses.every((p) => ['http:', 'https:', 'mailto:'].includes(p)), place);
  }
  await page.goto(image('team/hostile', '1.0'));
  assert.match(await page.locator('main').innerText(), /<script>document\.title = 'taken over'<\/script>/);
  await page.goto('/repository?registry=local&repository=postgresql');
  const readme = page.locator('.readme');
  assert.match(await readme.innerText(), /<script>document\.title/);
  const links = await readme.locator('a').evaluateAll((all) => all.map((a) => a.href));
  assert.deepEqual(links, ['https://www.postgresql.org/', 'https://tracker.example/pixel.png'], 'a picture is a link, and a script none');
  assert.equal(await readme.locator('table').count(), 1);
});

people('keyboard only: from the first page to an approval', [PEOPLE.curator], async (page) => {
  await sql("SELECT image_library.set_readme('local', 'team/hostile', null)");
  const focused = () => page.evaluate(() => {
    const e = document.activeElement;
    return `${e.tagName} ${e.getAttribute('aria-label') ?? e.labels?.[0]?.innerText ?? e.innerText ?? ''}`.trim();
  });
  const seen = [];
  const tabTo = async (what) => {
    for (let i = 0; i < 80; i += 1) {
      await page.keyboard.press('Tab');
      const now = await focused();
      seen.push(now);
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, 'none', `no visible focus on ${now}`);
      if (what.test(now)) return;
    }
    assert.fail(`not reached by Tab: ${what}; reached: ${seen.slice(-40).join(' | ')}`);
  };
  await page.goto('/');
  await page.keyboard.press('Tab');
  assert.match(await focused(), /Skip to the content/);
  await tabTo(/^A Pending/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Pending', level: 1 }).waitFor();
  await tabTo(/^INPUT Select team\/hostile:1\.0/);
  await page.keyboard.press('Space');
  await tabTo(/^SUMMARY Policies/);
  await page.keyboard.press('Enter');
  await page.getByText('nothing to compare').or(page.getByText('Not met')).first().waitFor();
  await tabTo(/^INPUT Reason for all/);
  await page.keyboard.type('by keyboard');
  await tabTo(/^BUTTON Approve selected/);
  await page.screenshot({ path: shotPath('keyboard-light') });
  await page.keyboard.press('Enter');
  await page.getByText('Approved:').waitFor();
  const [decision] = await sql("SELECT actor::text, new_state FROM image_library.decisions WHERE repository = 'team/hostile' AND reason = 'by keyboard'");
  assert.deepEqual(decision, { actor: 'carl', new_state: 'approved' });
});

people('a selection: each image by itself, and who is refused is told', [PEOPLE.curator], async (page) => {
  await page.goto('/pending');
  await page.getByLabel('Select all on this page').check();
  const chosen = await page.locator('input[name=image]:checked').count();
  assert.ok(chosen >= 2);
  await page.getByText(`${chosen} selected`).waitFor();
  // While the page is open, somebody else rejects one of them.
  await sql("SELECT image_library.reject(pinned_reference, 'meanwhile') FROM image_library.pending_images WHERE repository = 'postgresql' AND tag = '17.4-2503310734'");
  await page.getByLabel('Reason for all').fill('batch 7');
  await page.getByRole('button', { name: 'Approve selected' }).click();
  await page.getByText(`${chosen - 1} of ${chosen} decisions were made.`).waitFor();
  await page.getByText('Refused:').waitFor();
  await page.screenshot({ path: shotPath('bulk-refused-light'), fullPage: true });
  assert.deepEqual(await violations(page), []);
  await sql("SELECT image_library.reset(pinned_reference, 'test') FROM image_library.images WHERE repository = 'postgresql' AND tag = '17.4-2503310734'");
});

people('the difference from what was approved before', [PEOPLE.reader], async (page) => {
  await page.goto('/pending');
  await page.locator('tr', { hasText: 'postgresql:17.4-2503310734' }).getByText('Policies and difference').click();
  await page.getByRole('row', { name: /annotation org\.opencontainers\.image\.created before: 2025-03-31T07:34:00Z now: 2025-03-31T08:34:00Z/ }).waitFor();
  await page.screenshot({ path: shotPath('difference-light'), fullPage: true });
  assert.deepEqual(await violations(page), []);
});

people('an approved image is revoked; its consumers are named', [PEOPLE.curator], async (page) => {
  page.on('dialog', (dialog) => dialog.accept());
  const [{ reference }] = await sql("SELECT image_library.latest('prod-17') AS reference");
  const tag = /:([^:@]+)@/.exec(reference)[1];
  await sql('SELECT image_library.record_use($1, $2, $3)', [reference, 'payments', 'eu-2']);
  await page.goto(image('postgresql', tag));
  await page.getByLabel('Reason', { exact: true }).fill('CVE-2026-0001');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('Revoked:').waitFor();
  await page.locator('.said.note', { hasText: 'payments' }).waitFor();
  await page.goto('/use');
  await page.getByRole('row', { name: /payments.*revoked/ }).first().waitFor();
});

people('a model: does it fit, deploy, validation, download', [PEOPLE.reader], async (page) => {
  await page.goto('/models');
  await page.getByLabel('Does it fit').fill('h100');
  await page.getByLabel('How many').fill('1');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('row', { name: /llama-3\.1-8b-instruct.*yes/ }).waitFor();
  await page.getByRole('link', { name: 'Deploy llama-3.1-8b-instruct' }).click();
  await page.getByText('"kind": "NIMService"').waitFor();
  await page.getByLabel('Namespace').fill('models');
  await page.getByText('"namespace": "models"').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('Not a name');
  await page.locator('#made .said.failed').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('llama');
  await page.getByText('"name": "llama"').waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
  assert.equal(download.suggestedFilename(), 'llama.json');
  await page.getByRole('link', { name: 'KServe: InferenceService' }).click();
  await page.getByText('"kind": "InferenceService"').waitFor();
});

people('a rule: preview while typing, refusal, add, explain', [PEOPLE.admin], async (page) => {
  await page.goto('/rule');
  await page.getByLabel('Registry').selectOption('local');
  await page.getByLabel('Repositories').fill('charts/**');
  await page.getByText('never listed', { exact: false }).or(page.getByText('takes nothing', { exact: false })).or(page.getByText('tag', { exact: false }).locator('.chips')).first().waitFor();
  await page.getByLabel('Repositories').fill('postgresql');
  await page.getByLabel('Tags', { exact: false }).first().fill('17.*');
  await page.locator('#preview').getByText('kept', { exact: false }).first().waitFor();
  await page.getByLabel('Repositories').fill('regex:[');
  await page.locator('#preview .said.failed').waitFor();
  await page.getByRole('button', { name: 'Add rule' }).click();
  await page.locator('.said.failed').first().waitFor();
  assert.equal(await page.getByLabel('Repositories').inputValue(), 'regex:[', 'what was typed is kept');
  await page.getByLabel('Repositories').fill('charts/postgres');
  await page.getByLabel('Tags', { exact: false }).first().fill('*');
  await page.getByRole('button', { name: 'Add rule' }).click();
  await page.getByText('Rule added.').waitFor();
  page.complaints = page.complaints.filter((c) => !/status of 422/.test(c));
  await page.goto('/rules/explain?registry=local&repository=postgresql&tag=17.4-2503310734');
  await page.getByRole('row', { name: /decides/ }).first().waitFor();
});

people('a registry: refusal of an address, check in words, sync with progress', [PEOPLE.admin], async (page) => {
  await page.goto('/registry/new');
  await page.getByLabel('Name', { exact: true }).fill('broken');
  await page.getByLabel('Address').fill('ftp://example.org');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.locator('.said.failed').waitFor();
  await page.goto('/registry?name=local');
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByText('Nothing stands in the way of a sync').waitFor();
  await page.screenshot({ path: shotPath('check-light'), fullPage: true });
  assert.deepEqual(await violations(page), []);
  await sql('ALTER SYSTEM SET image_library.enabled = on');
  await sql('SELECT pg_reload_conf()');
  await page.getByRole('button', { name: 'Sync now' }).click();
  await page.getByText('is asked for').waitFor();
  await page.getByRole('link', { name: 'Show the result' }).waitFor({ timeout: 45_000 });
  await page.getByRole('link', { name: 'Show the result' }).click();
  await page.getByRole('row', { name: /complete/ }).first().waitFor();
  const [{ n }] = await sql("SELECT count(*)::int AS n FROM image_library.sync_run WHERE registry = 'local' AND cause <> 'call'");
  assert.ok(n > 0);
  page.complaints = page.complaints.filter((c) => !/status of 422/.test(c));
});

people('a form that is saved as it was shown changes nothing', [PEOPLE.admin], async (page) => {
  const { publicKey } = generateKeyPairSync('ed25519', { publicKeyEncoding: { type: 'spki', format: 'pem' } });
  for (const name of ['release', 'ci']) await sql('SELECT image_library.add_trust_key($1, $2)', [name, publicKey]);
  await sql(`SELECT image_library.add_rule('local', '{team,other}/**', tags => $1, exclude_tags => '{*-rc*}', platforms => '{linux/amd64,linux/arm64}', newest => 7, priority => 300,
    immutable_tags => true, kind => 'other', owner => 'vault_team', required_approvals => 2, separate_requester => true, signed_by => '{release,ci}')`, [['version:>=16 <18', '{17,18}.*', 'regex:^a{1,2}$']]);
  await sql("SELECT image_library.alter_registry('vault', sync_interval => '2 hours', requests_per_second => 9, requests_per_run => 500, realm_hosts => '{tokens.example.org}')");
  await sql("SELECT image_library.set_credential('vault', 'robot', 'secret')");
  const rules = () => sql('SELECT * FROM image_library.rules ORDER BY rule_id');
  const registries = () => sql('SELECT * FROM image_library.registries ORDER BY name');
  const [before, connected] = [await rules(), await registries()];
  for (const { rule_id: id } of before) {
    await page.goto(`/rule?id=${id}`);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText(`Rule ${id} changed.`).waitFor();
  }
  assert.deepEqual(await rules(), before);
  for (const { name } of connected) {
    await page.goto(`/registry/edit?name=${name}`);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText(`Registry "${name}" changed.`).waitFor();
  }
  assert.deepEqual(await registries(), connected);
});

people('a README and HM tags are edited by a curator', [PEOPLE.curator], async (page) => {
  await page.goto('/repository?registry=local&repository=nim/meta/llama-3.1-8b-instruct');
  await page.getByRole('link', { name: 'Edit the README' }).click();
  await page.locator('textarea').fill('# Llama\n\nFor *support* tickets.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.readme em', { hasText: 'support' }).waitFor();
  await page.getByLabel('Add').selectOption('production');
  await page.getByRole('button', { name: 'Set' }).click();
  await page.getByRole('button', { name: 'Remove HM tag production' }).click();
  await page.getByText('HM tag removed.').waitFor();
});

people('the database away: a page that says so, and the next step works again', [PEOPLE.reader], async (page) => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const control = (...words) => execFileSync(`${root}/scripts/unprivileged`, [`${process.env.SERVER_BIN}/pg_ctl`, '-D', `${process.env.SERVER_FOLDER}/data`, '-w', '-s', '-l', `${process.env.SERVER_FOLDER}/server.log`, ...words],
    { stdio: 'ignore', cwd: process.env.SERVER_FOLDER });
  control('-m', 'fast', 'stop');
  try {
    const response = await page.goto('/pending');
    assert.equal(response.status(), 503);
    await page.getByRole('heading', { name: 'The database cannot be reached' }).waitFor();
    await page.screenshot({ path: shotPath('away-light') });
    assert.deepEqual(await violations(page), []);
    const stranger = await browser.newPage({ baseURL: portal.address });
    await stranger.goto('/sign-in');
    await stranger.getByLabel('Login').fill(PEOPLE.reader);
    await stranger.getByRole('button', { name: 'Sign in' }).click();
    await stranger.getByText('The database cannot be reached.').waitFor();
    await stranger.close();
  } finally {
    control('start');
  }
  await page.getByRole('link', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Pending' }).waitFor();
  page.complaints = page.complaints.filter((c) => !/status of 503/.test(c));
});
