/**
 * The connections of one visitor, and what goes wrong with them. Every statement is one of ours with parameters;
 * what a visitor types is never part of its text.
 */
import net from 'node:net';

import pg from 'pg';

// bigint as text would sort and print badly; numbers of the library stay below 2^53. Ranges and intervals stay text.
const types = {
  getTypeParser(oid, format) {
    if (oid === 20 || oid === 1700) return (text) => (text === null ? null : Number(text));
    if (oid === 1186) return (text) => text;
    if (oid === 1003) return pg.types.getTypeParser(1009, format); // name[] as text[]
    return pg.types.getTypeParser(oid, format);
  },
};

/** A client that knows how the server asked for the password. */
class Visitor extends pg.Client {
  constructor(options) {
    const asked = { by: null };
    const password = options.password;
    super({
      ...options,
      // `pg` asks for the password only when the server wants one.
      password: () => {
        if (asked.by === 'cleartext' && !options.ssl) {
          throw new SignInRefused('The server asks for the password in clear text, without TLS.',
            'Set scram-sha-256 in pg_hba.conf, or PGSSLMODE=require for the portal.');
        }
        return password;
      },
    });
    this.asked = asked;
    this.notices = null;
    const connection = this.connection;
    connection.prependListener('authenticationCleartextPassword', () => { asked.by = 'cleartext'; });
    connection.prependListener('authenticationMD5Password', () => { asked.by = 'md5'; });
    connection.prependListener('authenticationSASL', () => { asked.by = 'scram'; });
    this.on('notice', (notice) => this.notices?.push(notice));
  }
}

/**
 * Whether the server has TLS, asked as libpq does with sslmode=prefer; `pg` itself would not go on without.
 * @returns {Promise<boolean>} false also where nothing answers: the connection then tells why
 */
export function offersTls({ host, port }) {
  if (host.startsWith('/')) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(3_000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('data', (data) => end(data[0] === 0x53)); // "S"
    socket.once('connect', () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))); // SSLRequest
  });
}

/** Why the portal itself does not let somebody in; `hint` is for who runs it. */
export class SignInRefused extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Whether an error means that the server cannot be reached or ends the connection. */
export function isLost(error) {
  const code = error?.code ?? '';
  return /^(08|57P0[1235]|53300)/.test(code)
    || /^(ECONN|ENOTFOUND|EHOST|ENET|EPIPE|ETIMEDOUT|EAI_|ENOENT)/.test(code)
    || /^(Connection terminated|timeout exceeded|timeout expired|Client has encountered|Client was closed|Cannot use a pool)/i.test(error?.message ?? '');
}

/** Whether an error means that the login is not accepted (any more). */
export function isRefusedLogin(error) {
  return /^28/.test(error?.code ?? '') || error?.code === '42501' && /permission denied for database/.test(error.message);
}

/** Whether PostgreSQL said it, so that message, detail and hint are for the visitor. */
export function isFromServer(error) {
  return typeof error?.severity === 'string' && /^[0-9A-Z]{5}$/.test(error?.code ?? '');
}

/** The pool of one session. */
export class Database {
  constructor(settings, user, password, ssl) {
    this.pool = new pg.Pool({
      ...settings.connection,
      ssl,
      Client: Visitor,
      user,
      password,
      types,
      max: settings.connectionsEach,
      idleTimeoutMillis: 60_000,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: 'image_library portal',
      options: `-c statement_timeout=${settings.statementSeconds}s -c search_path=pg_catalog -c client_min_messages=notice`
        + ' -c jit=off -c idle_in_transaction_session_timeout=60s -c TimeZone=UTC -c DateStyle=ISO',
    });
    // An idle connection that the server ends: the next statement opens another.
    this.pool.on('error', () => {});
    this.allowTrust = settings.allowTrust;
    this.statementSeconds = settings.statementSeconds;
  }

  /**
   * Opens the first connection; throws what the server says, or SignInRefused.
   * @returns {Promise<object>} who signed in: user, and which of the library's roles
   */
  async signIn() {
    const client = await this.pool.connect();
    try {
      if (!client.asked.by && !this.allowTrust) {
        throw new SignInRefused('The server let this name in without asking for a password, so the portal does not.',
          'Set scram-sha-256 for the portal\'s address in pg_hba.conf.');
      }
      const { rows: [row] } = await client.query(`
        SELECT session_user::text AS name, to_regnamespace('image_library') IS NOT NULL AS library,
               coalesce(pg_has_role(to_regrole('image_library_reader'), 'USAGE'), false) AS reads,
               coalesce(pg_has_role(to_regrole('image_library_curator'), 'USAGE'), false) AS curates,
               coalesce(pg_has_role(to_regrole('image_library_admin'), 'USAGE'), false) AS administers`);
      if (!row.library) {
        throw new SignInRefused(`Database "${this.pool.options.database}" has no image library.`, 'Run CREATE EXTENSION image_library there, or set PGDATABASE for the portal.');
      }
      return row;
    } finally {
      client.release();
    }
  }

  /**
   * @param {string} text a constant statement
   * @param {unknown[]} values its parameters
   * @param {{notices?: object[], seconds?: number, timing?: object}} options `seconds`: more time than usual
   */
  async query(text, values = [], { notices = null, seconds = 0, timing = null } = {}) {
    const client = await this.pool.connect();
    const begun = performance.now();
    client.notices = notices;
    let failed;
    try {
      if (seconds) await client.query('SELECT set_config($1, $2, false)', ['statement_timeout', `${seconds}s`]);
      const result = await client.query(text, values);
      return result;
    } catch (error) {
      failed = error;
      throw error;
    } finally {
      const lost = isLost(failed);
      if (seconds && !lost) {
        await client.query('SELECT set_config($1, $2, false)', ['statement_timeout', `${this.statementSeconds}s`]).catch(() => {});
      }
      client.notices = null;
      client.release(lost ? failed : undefined);
      if (timing) {
        timing.database += performance.now() - begun;
        timing.statements += 1;
      }
    }
  }

  end() {
    return this.pool.end().catch(() => {});
  }
}
