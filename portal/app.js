/** The application: security, sessions, errors and pages. */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import cookie from '@fastify/cookie';
import csrf from '@fastify/csrf-protection';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import serveStatic from '@fastify/static';
import { Eta } from 'eta';
import Fastify from 'fastify';

import { csv } from './csv.js';
import { isFromServer, isLost, isRefusedLogin } from './database.js';
import { helpers, local } from './html.js';
import { COOKIE, Sessions } from './session.js';
import activity from './pages/activity.js';
import decide from './pages/decide.js';
import deploy from './pages/deploy.js';
import home from './pages/home.js';
import image from './pages/image.js';
import models from './pages/models.js';
import pending from './pages/pending.js';
import postgres from './pages/postgres.js';
import registries from './pages/registries.js';
import repository from './pages/repository.js';
import rules from './pages/rules.js';
import signIn from './pages/sign_in.js';
import tags from './pages/hm_tags.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const SAID = 20; // messages that wait for the next page

/** HTTP status of what PostgreSQL says. */
export function statusOf(error) {
  if (isLost(error)) return 503;
  switch (error.code) {
    case '42501': return 403;
    case '42704': case 'P0002': return 404;
    case '57014': return 504;
    case '55000': case '42710': case '42P09': case '40001': case '25000': return 409;
    case '42P01': case '3F000': case '42883': case '42703': return 500;
    default: return isFromServer(error) ? 422 : error.statusCode ?? 500;
  }
}

/**
 * Whether a header Host names this portal. A site can lead its own name to an address of this machine, and its scripts
 * are then of the same origin; where nobody is asked for a password only addresses and localhost are answered.
 */
export function isServed(host, { hosts, allowTrust }) {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (hosts.length) return hosts.includes(name);
  return !allowTrust || name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}

/**
 * @param {object} settings as settings.js makes them
 * @param {object} options of Fastify, for tests
 */
export async function createApp(settings, options = {}) {
  const app = Fastify({
    logger: { level: process.env.PORTAL_LOG || 'warn', redact: ['req.headers.cookie', 'req.headers.authorization'] },
    trustProxy: settings.trustProxy,
    bodyLimit: 512 * 1024,
    requestTimeout: 30_000, // for a client that sends slowly; an answer may take longer
    ...options,
  });
  const sessions = new Sessions(settings);
  app.decorate('settings', settings);
  app.decorate('sessions', sessions);
  app.addHook('onClose', () => sessions.endAll());

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'], connectSrc: ["'self'"],
        formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
  await app.register(cookie);
  // Forms only: what the pages read is text.
  app.removeAllContentTypeParsers();
  await app.register(formbody);
  await app.register(rateLimit, { global: false });
  await app.register(csrf, {
    cookieKey: `${COOKIE}_form`,
    cookieOpts: { path: '/', httpOnly: true, sameSite: 'strict' },
    getUserInfo: (request) => request.session?.id ?? 'nobody',
    csrfOpts: { hmacKey: randomBytes(32).toString('hex'), userInfo: true },
  });

  const oneYear = { immutable: true, maxAge: '1d' };
  await app.register(serveStatic, { root: path.join(here, 'static'), prefix: '/static/' });
  for (const [name, file] of [['pico.css', '@picocss/pico/css/pico.min.css'], ['htmx.js', 'htmx.org/dist/htmx.min.js']]) {
    const full = file.startsWith('htmx')
      ? path.join(path.dirname(require.resolve('htmx.org')), 'htmx.min.js')
      : path.join(here, 'node_modules', file);
    app.get(`/library/${name}`, { config: { open: true } }, (request, reply) => reply.sendFile(path.basename(full), path.dirname(full), oneYear));
  }

  const eta = new Eta({ views: path.join(here, 'views'), cache: true, autoEscape: true });

  app.decorateRequest('session', null);
  app.decorateRequest('timing', null);
  app.decorateRequest('notices', null);
  app.addHook('onRequest', async (request, reply) => {
    request.timing = { begun: performance.now(), database: 0, statements: 0 };
    request.notices = [];
    if (!isServed(request.headers.host, settings)) {
      return reply.code(421).type('text/plain; charset=utf-8').send('The portal is not served under this name: PORTAL_HOSTS has the names.\n');
    }
    request.session = sessions.find(request.cookies[COOKIE]) ?? null;
    const open = request.routeOptions?.config?.open || request.url.startsWith('/static/');
    if (request.session || open) return undefined;
    if (request.headers['hx-request']) return reply.header('HX-Redirect', '/sign-in').code(401).send();
    const next = request.method === 'GET' && request.url !== '/' ? `?next=${encodeURIComponent(request.url)}` : '';
    return reply.redirect(`/sign-in${next}`, 303);
  });
  // A form without its token is refused, whichever it is.
  app.addHook('preHandler', (request, reply, done) => {
    if (request.method === 'GET' || request.method === 'HEAD') return done();
    request.body ??= {};
    return app.csrfProtection(request, reply, done);
  });
  app.addHook('onSend', async (request, reply) => {
    const { begun, database, statements } = request.timing ?? {};
    if (begun) {
      reply.header('Server-Timing', `app;dur=${(performance.now() - begun).toFixed(1)}, `
        + `db;dur=${database.toFixed(1)};desc="${statements} statements"`);
    }
    if (!reply.hasHeader('Cache-Control')) reply.header('Cache-Control', 'no-store');
  });

  /** Runs a statement as the visitor; returns the rows. */
  app.decorateRequest('ask', async function ask(text, values, more = {}) {
    const result = await this.session.database.query(text, values, { notices: this.notices, timing: this.timing, ...more });
    return result.rows;
  });
  /** Keeps a message for the next page: kind `done`, `failed` or `note`. */
  app.decorateRequest('say', function say(kind, text, more = {}) {
    const { said } = this.session;
    if (said.length < SAID) said.push({ kind, text, ...more });
  });
  app.decorateRequest('sayNotices', function sayNotices() {
    for (const n of this.notices.splice(0)) this.say('note', n.message, { detail: n.detail, hint: n.hint });
  });
  /** An error of PostgreSQL becomes a message; any other is thrown. */
  app.decorateRequest('sayError', function sayError(error, about = '') {
    if (!isFromServer(error) || isLost(error) || isRefusedLogin(error)) throw error;
    this.say('failed', about + error.message, { detail: error.detail, hint: error.hint });
  });

  async function page(view, data = {}) {
    const { request } = this;
    const { session } = request;
    const isPart = data.part === true;
    const it = {
      h: helpers, user: session?.user ?? null, settings, url: local(request.url) ?? '/', path: request.url.split('?')[0], query: request.query,
      csrf: await this.generateCsrf({ userInfo: session?.id ?? 'nobody', secure: request.protocol === 'https' }),
      said: session && !isPart ? session.said.splice(0) : [],
      notices: [], pendingCount: null, ...data,
    };
    if (session && !isPart && it.status !== 503) {
      it.notices = request.notices;
      it.pendingCount = await pendingCount(request).catch(() => null);
    }
    this.type('text/html; charset=utf-8');
    if (it.status) this.code(it.status);
    return this.send(eta.render(view, it));
  }
  /** Sends a view of views/ with data; `part: true` is without the layout's messages. */
  app.decorateReply('page', page);
  app.decorateReply('csv', function sendCsv(name, columns, rows) {
    return this.header('Content-Disposition', `attachment; filename="${name}.csv"`).type('text/csv; charset=utf-8').send(csv(columns, rows));
  });
  /** Where a form says to go next; never off this site. */
  app.decorateReply('goTo', function goTo(target, fallback = '/') {
    return this.redirect(local(target) ?? fallback, 303);
  });

  /** Shown in the navigation; counted at most every 20 seconds of a session. */
  async function pendingCount(request) {
    const { session } = request;
    if (!session.counted || Date.now() - session.counted.at > 20_000) {
      const [row] = await request.ask('SELECT pending FROM image_library.library_stats WHERE registry IS NULL', []);
      session.counted = { at: Date.now(), pending: row?.pending ?? 0 };
    }
    return session.counted.pending;
  }

  app.setErrorHandler(async (error, request, reply) => {
    const part = Boolean(request.headers['hx-request']);
    if (request.session && isRefusedLogin(error)) {
      sessions.end(request.session.id);
      request.session = null;
      if (part) return reply.header('HX-Redirect', '/sign-in').code(401).send();
      return reply.redirect('/sign-in?ended=1', 303);
    }
    const status = statusOf(error);
    if (status >= 500 && status !== 503 && status !== 504) request.log.error({ code: error.code }, error.stack ?? error.message);
    if (status === 503) reply.header('Retry-After', '5');
    const shown = isFromServer(error) && !isLost(error)
      ? { message: error.message, detail: error.detail, hint: error.hint, code: error.code }
      // Of an error of the portal itself the log has more.
      : { message: status === 500 ? 'The portal could not make this page. Its log says why.' : error.message };
    // htmx shows answers with an error status only where it is told to.
    if (part) return reply.page('error_part', { part: true, error: shown, status: 200, lost: status === 503 });
    return reply.page('error', { title: 'Not shown', error: shown, status, lost: status === 503, form: request.method !== 'GET' });
  });
  app.setNotFoundHandler({ preHandler: [] }, (request, reply) => reply.page('error', {
    title: 'No such page', status: 404, lost: false, error: { message: 'There is no such page.' },
  }));

  for (const pages of [signIn, home, repository, image, decide, pending, models, deploy, postgres, registries, rules, activity, tags]) await app.register(pages);
  return app;
}
