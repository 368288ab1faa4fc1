// What an engine usually has and a plugin has not: `console` is the host's log, and clocks throw. Without this, asking for the
// time would end the plugin without a word. Under Node, in a plugin's own tests, everything stays as it is.

import { log } from 'telemill:plugin/host@0.1.0';

function noClock() {
  throw new Error('a plugin has no clock: simulated times come as arguments, such as window.start');
}

if (typeof globalThis.process === 'undefined') {
  const shown = (value) => (typeof value === 'object' && !(value instanceof Error) ? JSON.stringify(value) : String(value));
  const to = (level) => (...values) => log(level, values.map(shown).join(' '));
  globalThis.console = { debug: to('debug'), log: to('info'), info: to('info'), warn: to('warn'), error: to('error') };
  globalThis.performance = { now: noClock };
  globalThis.Date = class extends Date {
    static now = noClock;

    constructor(...values) {
      if (values.length === 0) noClock();
      super(...values);
    }
  };
}
