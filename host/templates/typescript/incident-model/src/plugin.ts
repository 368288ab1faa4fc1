// The incident model @name@: something goes wrong on any target now and then. Put your own troubles in its place.

import { type IncidentModelPlugin, MINUTE, type Target, defineIncidentModel, incident, process, stream } from '../telemill/index.js';

interface Config {
  per_day: number;
  factor: number;
}

const TROUBLE = process('trouble');
const KIND = 'trouble';

export const plugin: IncidentModelPlugin<Config> = {
  about: {
    name: '@name@',
    version: '0.1.0',
    summary: 'Trouble now and then: a signal of a target grows for some minutes',
    examples: [{ name: 'often', config: { per_day: 12 } }],
  },

  schema: {
    properties: {
      per_day: { type: 'integer', minimum: 0, maximum: 1000, default: 3, description: 'Incidents in a UTC day' },
      factor: { type: 'number', minimum: 1, default: 3, description: 'What the signal is multiplied with' },
    },
  },

  kinds: { [KIND]: 'A signal grows' },

  // `targets` are the generator's: { name, parents, signals, attributes }.
  open({ config, seed, targets }) {
    const bendable = targets.filter((target) => target.signals.length > 0);
    const trouble = (id: string, target: Target, start: number, end: number) =>
      incident({
        id,
        kind: KIND,
        title: `Trouble with ${target.name}`,
        effects: [{
          target: target.name,
          signal: target.signals[0],
          operation: 'scale',
          value: config.factor,
          start,
          full: Math.min(start + MINUTE, end),
          release: end,
          end: end + 5 * MINUTE,
        }],
        attributes: { target: target.name },
      });
    return {
      // The incidents of one UTC day follow from seed and date alone; days come in any order.
      plan(day) {
        if (bendable.length === 0) return [];
        const number = Math.floor(day.start / (day.end - day.start));
        return Array.from({ length: config.per_day }, (_, index) => {
          const draw = stream(seed, TROUBLE, index, number);
          const target = draw.pick(bendable);
          const start = day.start + draw.below(23 * 60) * MINUTE;
          return trouble(`@name@-${number}-${index}`, target, start, start + (5 + draw.below(16)) * MINUTE);
        });
      },
      // One by hand, from an [[incident]] of a spec.
      trigger(kind, name, window) {
        const target = bendable.find((one) => one.name === name);
        if (kind !== KIND || target === undefined) throw `${kind} on ${name}: there is ${KIND}, on a target with a signal`;
        return [trouble(`@name@-hand-${name}-${window.start}`, target, window.start, window.end)];
      },
    };
  },
};

export const { about, incidentModel } = defineIncidentModel(plugin);
