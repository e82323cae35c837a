#!/usr/bin/env node
/** Starts the portal with the settings of the environment: see README.md. */
import { createApp } from './app.js';
import { settingsFrom } from './settings.js';

let settings;
try {
  settings = settingsFrom(process.env);
} catch (error) {
  console.error(`portal: ${error.message}`);
  process.exit(2);
}
const app = await createApp(settings);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => app.close().then(() => process.exit(0)));
}
try {
  const address = await app.listen({ host: settings.listen, port: settings.port });
  const { host, port, database } = settings.connection;
  console.log(`portal: ${address} shows database "${database}" of ${host}:${port}`);
} catch (error) {
  console.error(`portal: cannot listen on ${settings.listen}:${settings.port}: ${error.message}`);
  process.exit(1);
}
