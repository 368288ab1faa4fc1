// The incident model heating-trouble: heatings that fail at night, and a faulty roll-out of the thermostats' software that
// lets all of them heat too much. It bends any target that has the signal `heating`.

import { DAY, HOUR, MINUTE, defineIncidentModel, incident, process, stream } from '../telemill/index.js';

const FAILURE = process('failure');
const ROLLOUT = process('rollout');

export const plugin = {
  about: {
    name: 'heating-trouble',
    version: '0.1.0',
    summary: 'Heatings that fail, and software that heats too much',
    examples: [{ name: 'a bad winter', config: { failures_per_day: 20 } }],
  },

  schema: {
    properties: {
      failures_per_day: { type: 'integer', minimum: 0, maximum: 1000, default: 2, description: 'Heatings that fail in a UTC day' },
      rollout_every_days: { type: 'integer', minimum: 1, maximum: 365, default: 14, description: 'Days from a faulty roll-out to the next' },
    },
  },

  kinds: {
    'heating-failed': 'A heating gives nothing until somebody comes',
    'faulty-rollout': 'New software heats half as much again',
  },

  open({ config, seed, targets }) {
    const heated = targets.filter((target) => target.signals.includes('heating'));
    const homes = heated.filter((target) => target.parents.length > 0);
    const system = heated.find((target) => target.parents.length === 0);

    const failed = (id, name, start, end) => incident({
      id,
      kind: 'heating-failed',
      title: `The heating of ${name} failed`,
      severity: 'high',
      effects: [{ target: name, signal: 'heating', operation: 'set', value: 0, start, full: start, release: end, end: end + 30 * MINUTE }],
      attributes: { target: name },
    });
    const rollout = (id, name, start, end) => incident({
      id,
      kind: 'faulty-rollout',
      title: `New software heats ${name} too much`,
      effects: [{ target: name, signal: 'heating', value: 1.5, start, full: Math.min(start + HOUR, end), release: end, end: end + HOUR }],
      attributes: { target: name },
    });

    return {
      plan(day) {
        const number = Math.floor(day.start / DAY);
        const incidents = [];
        for (let index = 0; index < config.failures_per_day && homes.length > 0; index += 1) {
          const draw = stream(seed, FAILURE, index, number);
          const home = draw.pick(homes).name;
          const start = day.start + draw.below(24 * 60) * MINUTE;
          incidents.push(failed(`HEAT-${number}-${index}`, home, start, start + draw.between(2, 14) * HOUR));
        }
        if (system !== undefined && stream(seed, ROLLOUT, 0, number).chance(1 / config.rollout_every_days)) {
          const start = day.start + 10 * HOUR;
          incidents.push(rollout(`ROLLOUT-${number}`, system.name, start, start + 5 * HOUR));
        }
        return incidents;
      },

      trigger(kind, name, window) {
        if (!heated.some((target) => target.name === name)) throw `${name} has no heating`;
        const make = { 'heating-failed': failed, 'faulty-rollout': rollout }[kind];
        if (make === undefined) throw `there is no kind ${kind}`;
        return [make(`HAND-${name}-${window.start}`, name, window.start, window.end)];
      },
    };
  },
};

export const { about, incidentModel } = defineIncidentModel(plugin);
