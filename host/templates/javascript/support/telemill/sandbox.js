// What an engine usually has and a plugin has not: `console` is the host's log, clocks and `Math.random` throw. Without this, asking for
// the time would end the plugin without a word, and every run would draw the same, whatever its seed. Under Node, in a plugin's own tests, everything stays as it is.

import { log } from 'telemill:plugin/host@0.1.0';

function noClock() {
  throw new Error('a plugin has no clock: simulated times come as arguments, such as window.start');
}

if (typeof globalThis.process === 'undefined') {
  const shown = (value) => (typeof value === 'object' && !(value instanceof Error) ? JSON.stringify(value) : String(value));
  const to = (level) => (...values) => log(level, values.map(shown).join(' '));
  globalThis.console = { debug: to('debug'), log: to('info'), info: to('info'), warn: to('warn'), error: to('error') };
  Math.random = () => {
    throw new Error("a plugin has no randomness of its own: telemill's Steps, Stream and Noise follow from the run's seed");
  };
  globalThis.performance = { now: noClock };
  globalThis.Date = class extends Date {
    static now = noClock;

    constructor(...values) {
      if (values.length === 0) noClock();
      super(...values);
    }
  };
}
