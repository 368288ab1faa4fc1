// Stands in the host's place, so that a plugin's own tests run under Node: `node --import ./telemill/native.js --test`.

import { register } from 'node:module';

const host = 'data:text/javascript,export const log = (level, message) => console.error(level, message)';
const hooks = `export const resolve = (name, context, next) =>
  name.startsWith('telemill:') ? { url: ${JSON.stringify(host)}, shortCircuit: true } : next(name, context)`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
