/** Signing in with a database login, and out. */
import { isFromServer, isLost, SignInRefused } from '../database.js';
import { local } from '../html.js';
import { text } from '../listing.js';
import { AttemptLimit, COOKIE, networkOf, TooManySessions } from '../session.js';

/** What the page says about a sign-in that failed: no more than the server does. */
function reasonOf(error) {
  if (error instanceof SignInRefused) return { status: 403, message: error.message, hint: error.hint };
  if (error instanceof TooManySessions) return { status: 503, message: 'Too many people are signed in. Try again later.' };
  if (isLost(error) || !isFromServer(error)) return { status: 503, message: 'The database cannot be reached.', hint: 'Try again in a moment. The log of the portal says why.' };
  if (error.code === '28P01' || error.code === '28000') return { status: 401, message: 'Name or password is wrong.' };
  return { status: 403, message: error.message, hint: error.hint };
}

export default async function signIn(app) {
  const { settings, sessions } = app;
  const byName = new AttemptLimit(settings.signInsPerMinute);

  app.get('/sign-in', { config: { open: true } }, (request, reply) => reply.page('sign_in', {
    title: 'Sign in', next: local(request.query.next) ?? '/', name: '',
    error: request.query.ended ? { message: 'The session has ended: the server does not accept its login any more.' } : null,
  }));

  app.post('/sign-in', {
    config: {
      open: true,
      rateLimit: { max: settings.signInsPerMinute, timeWindow: '1 minute', hook: 'onRequest', keyGenerator: (request) => networkOf(request.ip) },
    },
  }, async (request, reply) => {
    const name = text(request.body?.name, 63);
    const password = typeof request.body?.password === 'string' ? request.body.password.slice(0, 1000) : '';
    const next = local(request.body?.next) ?? '/';
    const again = (status, error) => reply.page('sign_in', { title: 'Sign in', status, next, name, error });
    if (!name) return again(422, { message: 'Give the name of your database login.' });
    // The protocol ends values with a zero byte: what follows one would be another setting of the connection.
    // eslint-disable-next-line no-control-regex
    if (/[\u0000-\u001f]/.test(name) || password.includes('\0')) return again(422, { message: 'A login or password has no control characters.' });
    const wait = byName.count(name);
    if (wait) {
      reply.header('Retry-After', String(wait));
      return again(429, { message: `Too many attempts for this name. Wait ${wait} seconds.` });
    }
    let session;
    try {
      session = await sessions.begin(name, password);
    } catch (error) {
      const reason = reasonOf(error);
      // 28000 is about the server's configuration more often than about the name: who runs the portal sees why.
      request.log[error.code === '28P01' ? 'info' : 'warn']({ name, code: error.code, said: error.message }, 'sign-in failed');
      return again(reason.status, reason);
    }
    if (request.session) sessions.end(request.session.id);
    reply.setCookie(COOKIE, session.id, { path: '/', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' });
    reply.clearCookie(`${COOKIE}_form`, { path: '/' });
    return reply.redirect(next, 303);
  });

  app.post('/sign-out', async (request, reply) => {
    // Not waited for: a statement that still runs keeps its connection until it ends.
    sessions.end(request.session.id);
    reply.clearCookie(COOKIE, { path: '/' });
    return reply.redirect('/sign-in', 303);
  });

  // Too many attempts from one address come here as an error of the limiter.
  app.addHook('onError', async (request, reply, error) => {
    if (error.statusCode === 429) request.log.warn({ address: request.ip }, 'too many sign-ins');
  });
}
