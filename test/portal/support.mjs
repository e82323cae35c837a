/** What the tests of the portal share: the portal itself, a browser, people, and a client without a browser. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { createApp } from '../../portal/app.js';
import { settingsFrom } from '../../portal/settings.js';

const require = createRequire(new URL('../../portal/package.json', import.meta.url));
const { chromium } = require('playwright-core');
export const pg = require('pg');
const axeScript = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const PASSWORD = 'correct horse';
export const PEOPLE = { reader: 'rita', curator: 'carl', second: 'cora', admin: 'adam', outsider: 'nobody_here' };
export const SHOTS = process.env.PORTAL_SHOTS || path.join(path.dirname(fileURLToPath(import.meta.url)), 'screenshots');
export const registry = process.env.REGISTRY;

/** A portal on a free port; `more` are settings in the environment's names. */
export async function startPortal(more = {}) {
  const app = await createApp(settingsFrom({ PORTAL_SIGN_INS_PER_MINUTE: '1000', ...process.env, ...more }), { forceCloseConnections: true });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, address };
}

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((p) => existsSync(p));
  return chromium.launch({ executablePath, headless: true, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** A window of its own, signed in, without transitions, in which a colour is between two schemes; what the page's console complains about is kept in `page.complaints`. */
export async function signedIn(browser, address, name, options = {}) {
  const context = await browser.newContext({ baseURL: address, viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.complaints = [];
  // htmx calls a request that a later one replaces, as typing does, an error.
  const isReplaced = (text) => /^htmx:(sendAbort|afterRequest)\b/.test(text);
  page.on('console', (message) => { if (message.type() === 'error' && !isReplaced(message.text())) page.complaints.push(`${page.url()}: ${message.text()}`); });
  page.on('pageerror', (error) => page.complaints.push(`${page.url()}: ${error}`));
  if (name) {
    await page.goto('/sign-in');
    await page.getByLabel('Login').fill(name);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  }
  return page;
}

/** Violations of WCAG 2.1 A and AA, in words. */
export async function violations(page) {
  // The policy of the page refuses a script element; the debugger's protocol is not bound to it.
  await page.evaluate(axeScript);
  const { violations: found, incomplete } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  // Text in the colour of its ground is "incomplete" to axe.
  const unseen = incomplete.filter((v) => v.id === 'color-contrast').map((v) => ({ ...v, nodes: v.nodes.filter((n) => n.any.some((c) => c.data?.messageKey === 'equalRatio')) }));
  return [...found, ...unseen].flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`));
}

export function shotPath(name) {
  mkdirSync(SHOTS, { recursive: true });
  return path.join(SHOTS, `${name}.png`);
}

/** The Set-Cookie headers of an answer. Debian 12's Node 18 has no getSetCookie, and joins them by commas. */
export function setCookies(headers) {
  return headers.getSetCookie?.() ?? (headers.get('set-cookie') ?? '').split(/, (?=[^;=\s]+=)/).filter(Boolean);
}

/** A client that keeps cookies, as a script would have it. */
export class Client {
  constructor(address) {
    this.address = address;
    this.cookies = new Map();
  }

  async request(url, { method = 'GET', form, headers = {} } = {}) {
    const response = await fetch(new URL(url, this.address), {
      method, redirect: 'manual',
      headers: { cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '), ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...headers },
      body: form ? new URLSearchParams(form).toString() : undefined,
    });
    for (const line of setCookies(response.headers)) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.cookies.set(name, value);
    }
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** The token of the form on a page. */
  async token(url) {
    const { text } = await this.request(url);
    return /name="_csrf" value="([^"]+)"/.exec(text)?.[1];
  }

  async signIn(name, password = PASSWORD) {
    return this.request('/sign-in', { method: 'POST', form: { _csrf: await this.token('/sign-in'), name, password } });
  }
}

/** A connection of the superuser, past the portal. */
export async function connected(database = process.env.PGDATABASE) {
  const client = new pg.Client({ host: process.env.SERVER_FOLDER, port: Number(process.env.PGPORT), user: 'postgres', database });
  await client.connect();
  return client;
}

/** A statement as the superuser, past the portal. */
export async function sql(text, values, database) {
  const client = await connected(database);
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}
