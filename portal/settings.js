/**
 * Settings of the portal, from the environment. The server is named as for psql (PGHOST, PGPORT, PGDATABASE,
 * PGSSLMODE, PGSSLROOTCERT); everything else begins with PORTAL_.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

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

const list = (text) => (text ?? '').split(',').map((word) => word.trim()).filter(Boolean);

/** Addresses and networks of proxies; a name or `true` would trust whoever sends the header. */
function proxies(environment) {
  const given = list(environment.PORTAL_TRUST_PROXY);
  for (const one of given) {
    const [address, bits, ...more] = one.split('/');
    if (!isIP(address) || more.length || bits !== undefined && !/^\d{1,3}$/.test(bits)) {
      throw new Error(`PORTAL_TRUST_PROXY has "${one}", and must be addresses or networks, such as 127.0.0.1 or 10.0.0.0/8, separated by commas`);
    }
  }
  return given.length ? given : false;
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
    trustProxy: proxies(environment),
    // Names of the header Host; a page of another site that leads its name to this address has its own.
    hosts: list(environment.PORTAL_HOSTS).map((name) => name.toLowerCase()),
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
