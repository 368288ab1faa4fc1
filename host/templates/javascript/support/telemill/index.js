// What a plugin in JavaScript needs. These files belong to Telemill: change your own under src/, and delete this folder to
// get those of a newer `telemill` with the next build.

import './sandbox.js';

import { log as hostLog } from 'telemill:plugin/host@0.1.0';
import { Batch, Rows } from './columns.js';
import { Effects } from './effects.js';
import { fromUtf8, utf8 } from './random.js';
import { simulation } from './schema.js';

export * from './random.js';
export * from './schema.js';
export * from './time.js';
export { Batch, Rows } from './columns.js';
export { Effects } from './effects.js';

/** A word beside the run; `level` is debug, info, warn or error. */
export const log = (message, level = 'info') => hostLog(level, String(message));

/** What the configuration can't be: `throw new ConfigError('/rooms', 'more rooms than there are doors')`. */
export class ConfigError extends Error {
  constructor(path, message) {
    super(message);
    this.problems = [{ path, message }];
  }
}

const words = (error) => (error instanceof Error ? `${error}\n${error.stack ?? ''}`.trimEnd() : String(error));

/** A function of the contract that may fail: an exception becomes an error with its text and stack. */
const failing = (call) => (...values) => {
  try {
    return call(...values);
  } catch (error) {
    if (error instanceof ConfigError) throw { tag: 'invalid-config', val: error.problems };
    throw typeof error?.tag === 'string' ? error : { tag: 'failed', val: words(error) };
  }
};

/** A function of the contract that may not fail: the host shows what was logged last before the crash. */
const crashing = (call) => (...values) => {
  try {
    return call(...values);
  } catch (error) {
    hostLog('error', words(error));
    throw error;
  }
};

function aboutOf({ about, schema, check }) {
  const { name, version, summary, documentation = summary, examples = [], attributes = [] } = about;
  return {
    describe: crashing(() => ({
      name,
      version,
      summary,
      documentation,
      configSchema: JSON.stringify({ type: 'object', additionalProperties: false, properties: {}, ...schema }),
      examples: examples.map((example) => ({ name: example.name, config: JSON.stringify(example.config) })),
      attributes,
    })),
    check: crashing((config) => check?.(JSON.parse(config)) ?? []),
  };
}

/** A part of a run: `owns(index)` says who makes the rows of an entity or an event. */
function shardOf({ seed, partition, partitions, span }) {
  // The engine hands numbers over; what no number holds exactly would be another run's seed.
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw { tag: 'failed', val: 'a generator in JavaScript takes seeds up to 9007199254740991 (2^53 - 1): name a smaller one' };
  }
  return { seed, partition, partitions, span, owns: (index) => index % partitions === partition };
}

/** The exports of a generator; see src/plugin.js for how to use it. */
export function defineGenerator(plugin) {
  let model;
  let effects;
  let rows;
  let inputs;
  const begin = (text, shard, state) => {
    const config = JSON.parse(text);
    const planned = simulation(plugin.plan(config));
    effects = new Effects(planned);
    inputs = planned.inputs;
    rows = planned.tables.map((table) => new Rows(table));
    model = plugin.open({ config, shard: shardOf(shard), state });
  };
  const generator = {
    plan: failing((config) => simulation(plugin.plan(JSON.parse(config)))),
    open: failing((config, shard) => begin(config, shard, undefined)),
    feed: failing((batch) => {
      const input = inputs[batch.table];
      model.feed?.(input.table, new Batch(batch, input.fields));
    }),
    inject: failing((incidents) => effects.inject(incidents)),
    advance: failing((window) => {
      effects.prepare(window);
      model.advance(window, Object.fromEntries(rows.map((table) => [table.table.name, table])), effects);
      return rows.map((table, index) => table.finish(index)).filter((batch) => batch !== null);
    }),
    save: failing(() => {
      const state = model.save?.();
      return state === undefined ? null : new Uint8Array(utf8(JSON.stringify(state)));
    }),
    restore: failing((config, shard, state) => {
      let saved;
      try {
        saved = JSON.parse(fromUtf8(state));
      } catch {
        throw { tag: 'unsupported-state' };
      }
      begin(config, shard, saved);
    }),
  };
  return { about: aboutOf(plugin), generator };
}

/** An incident with what follows from its effects filled in. */
export function incident({ id, kind, title, effects, role = 'incident', severity = 'medium', cause = null, attributes = {} }) {
  const whole = effects.map(({ full, release, ...effect }) => ({
    operation: 'scale',
    ...effect,
    full: full ?? effect.start,
    release: release ?? effect.end,
  }));
  const window = {
    start: Math.min(...whole.map((effect) => effect.start)),
    end: Math.max(...whole.map((effect) => effect.release)),
  };
  const recovered = Math.max(...whole.map((effect) => effect.end));
  const pairs = Object.entries(attributes).map(([name, value]) => ({ name, value: String(value) }));
  return { id, kind, role, title, severity, cause, window, recovered, effects: whole, attributes: pairs };
}

/** The exports of an incident model. */
export function defineIncidentModel(plugin) {
  let model;
  const incidentModel = {
    kinds: crashing(() => Object.entries(plugin.kinds).map(([name, summary]) => ({ name, summary }))),
    open: failing((config, seed, span, targets) => {
      model = plugin.open({ config: JSON.parse(config), seed, span, targets });
    }),
    plan: failing((day) => model.plan(day)),
    trigger: failing((kind, target, window) => model.trigger(kind, target, window)),
  };
  return { about: aboutOf(plugin), incidentModel };
}

/** A finding with defaults for what is not said; `high` and `critical` fail the report. */
export const finding = ({ rule, message, severity = 'info', table = null, column = null, failed = 0, checked = 0, samples = [] }) => ({
  rule,
  severity,
  table,
  column,
  message,
  failed,
  checked,
  samples,
});

/** The exports of a validator. */
export function defineValidator(plugin) {
  let model;
  let fields;
  const validator = {
    open: failing((config, tables, window) => {
      model = plugin.open({ config: JSON.parse(config), tables, window });
      const selections = model.selections.map(({ table, columns, orderBy = [] }) => ({ table, columns, orderBy }));
      fields = selections.map((selection) => {
        const declared = tables.find((table) => table.name === selection.table)?.fields ?? [];
        return selection.columns.map((name) => declared.find((field) => field.name === name));
      });
      return selections;
    }),
    observe: failing((batch) => model.observe(batch.table, new Batch(batch, fields[batch.table]))),
    finish: failing(() => {
      const { findings = [], metrics = [] } = model.finish();
      const whole = metrics.map(({ name, value, unit = null, at = null }) => ({ name, value, unit, at }));
      return { findings: findings.map(finding), metrics: whole };
    }),
  };
  return { about: aboutOf(plugin), validator };
}
