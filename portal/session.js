/**
 * Sessions: who is signed in, in the memory of this process only. A session has the pool of its visitor, so it ends
 * when it is idle, when it is old, and when the portal does.
 */
import { randomBytes } from 'node:crypto';

import { Database, offersTls } from './database.js';

export const COOKIE = 'image_library_portal';
const SESSIONS_OF_ONE_LOGIN = 10;

export class TooManySessions extends Error {}

export class Sessions {
  constructor(settings) {
    this.settings = settings;
    this.byId = new Map();
    this.timer = setInterval(() => this.endOld(), 30_000);
    this.timer.unref();
  }

  /** Signs in with a database login. Throws what the server says. */
  async begin(user, password) {
    this.endOld();
    if (this.byId.size >= this.settings.maxSessions) throw new TooManySessions();
    const { connection } = this.settings;
    const ssl = connection.ssl !== 'prefer' ? connection.ssl
      : await offersTls(connection) ? { rejectUnauthorized: false } : false;
    const database = new Database(this.settings, user, password, ssl);
    let who;
    try {
      who = await database.signIn();
    } catch (error) {
      database.end();
      throw error;
    }
    // Only who has the password ends an own session by beginning another.
    const own = [...this.byId.values()].filter((s) => s.user.name === who.name).sort((a, b) => a.usedAt - b.usedAt);
    if (own.length >= SESSIONS_OF_ONE_LOGIN) this.end(own[0].id);
    const now = Date.now();
    const session = { id: randomBytes(32).toString('base64url'), user: who, database, begunAt: now, usedAt: now, said: [] };
    this.byId.set(session.id, session);
    return session;
  }

  /** The session of a cookie, which counts as used; undefined: there is none (any more). */
  find(id) {
    const session = id ? this.byId.get(id) : undefined;
    if (!session) return undefined;
    if (this.isOld(session)) {
      this.end(id);
      return undefined;
    }
    session.usedAt = Date.now();
    return session;
  }

  isOld(session) {
    const now = Date.now();
    return now - session.usedAt > this.settings.idleMinutes * 60_000
      || now - session.begunAt > this.settings.longestHours * 3_600_000;
  }

  endOld() {
    for (const session of this.byId.values()) if (this.isOld(session)) this.end(session.id);
  }

  end(id) {
    const session = this.byId.get(id);
    this.byId.delete(id);
    return session?.database.end();
  }

  async endAll() {
    clearInterval(this.timer);
    await Promise.all([...this.byId.keys()].map((id) => this.end(id)));
  }
}

/** Whom an address belongs to: of IPv6 the network of 64 bits, in which a machine chooses its address as it likes. */
export function networkOf(address) {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head, tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = tail ? new Array(Math.max(0, 8 - head.length - tail.length)).fill('0') : [];
  return `${[...head, ...zeros, ...tail ?? []].slice(0, 4).join(':')}::/64`;
}

/** Counts attempts by a key in a window of a minute; the map is bounded. */
export class AttemptLimit {
  constructor(most, milliseconds = 60_000) {
    this.most = most;
    this.milliseconds = milliseconds;
    this.attempts = new Map();
  }

  /** Counts one; returns how many seconds to wait, 0: none. */
  count(key) {
    const now = Date.now();
    let entry = this.attempts.get(key);
    if (!entry || now - entry.from > this.milliseconds) {
      if (this.attempts.size > 10_000) {
        for (const [k, e] of this.attempts) if (now - e.from > this.milliseconds) this.attempts.delete(k);
        if (this.attempts.size > 10_000) this.attempts.delete(this.attempts.keys().next().value);
      }
      entry = { from: now, count: 0 };
      this.attempts.set(key, entry);
    }
    entry.count += 1;
    return entry.count > this.most ? Math.ceil((entry.from + this.milliseconds - now) / 1000) : 0;
  }
}
