/**
 * Settings of the portal, from the environment. The server is named as for psql (PGHOST, PGPORT, PGDATABASE,
 * PGSSLMODE, PGSSLROOTCERT); everything else begins with PORTAL_.
 */
import { readFileSync } from 'node:fs';

/** Seconds, numbers and limits have sane bounds, so that a typing error does not switch a protection off. */
function number(environment, name, standard, least, most) {
  const text = environment[name];
  if (text === undefined || text === '') return standard;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name} is "${text}", and must be a whole number from ${least} to ${most}`);
  }
  return value;
}

/**
 * TLS of the connection to PostgreSQL, as libpq's sslmode means it.
 * @returns {false | 'prefer' | object} options of `pg`; `prefer`: TLS if the server has it
 */
export function tls(environment) {
  const mode = environment.PGSSLMODE || 'prefer';
  const root = environment.PGSSLROOTCERT ? readFileSync(environment.PGSSLROOTCERT, 'utf8') : undefined;
  switch (mode) {
    case 'disable':
      return false;
    case 'prefer':
      return 'prefer';
    case 'require':
      return root ? { ca: root, checkServerIdentity: () => undefined } : { rejectUnauthorized: false };
    case 'verify-ca':
      return { ca: root, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ca: root };
    default:
      throw new Error(`PGSSLMODE is "${mode}", and must be disable, prefer, require, verify-ca or verify-full`);
  }
}

/**
 * @param {Record<string, string | undefined>} environment
 * @returns {object} the settings that app.js takes
 */
export function settingsFrom(environment) {
  return {
    listen: environment.PORTAL_LISTEN || '127.0.0.1',
    port: number(environment, 'PORTAL_PORT', 8080, 0, 65535),
    // Addresses of proxies whose X-Forwarded-* headers count, such as 127.0.0.1.
    trustProxy: environment.PORTAL_TRUST_PROXY ? environment.PORTAL_TRUST_PROXY.split(',') : false,
    // A server with `trust` in pg_hba.conf would let everybody in as anybody.
    allowTrust: environment.PORTAL_ALLOW_TRUST === '1',
    // Shown on the sign-in page, for a demonstration.
    hint: environment.PORTAL_HINT || '',
    idleMinutes: number(environment, 'PORTAL_IDLE_MINUTES', 30, 1, 24 * 60),
    longestHours: number(environment, 'PORTAL_SESSION_HOURS', 12, 1, 24 * 7),
    maxSessions: number(environment, 'PORTAL_MAX_SESSIONS', 200, 1, 10000),
    connectionsEach: number(environment, 'PORTAL_CONNECTIONS', 3, 1, 10),
    statementSeconds: number(environment, 'PORTAL_STATEMENT_SECONDS', 15, 1, 600),
    signInsPerMinute: number(environment, 'PORTAL_SIGN_INS_PER_MINUTE', 10, 1, 1000),
    connection: {
      host: environment.PGHOST || '127.0.0.1',
      port: number(environment, 'PGPORT', 5432, 1, 65535),
      database: environment.PGDATABASE || 'postgres',
      ssl: tls(environment),
    },
  };
}
