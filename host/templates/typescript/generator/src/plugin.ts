// The generator @name@: what the sensors of a building report. Put your own system in its place.

import { type GeneratorPlugin, Noise, SECOND, defineGenerator, float64, hourOfDay, process, signal, stepsOf, table, target, text, timestamp }
  from '../telemill/index.js';

interface Config {
  sensors: number;
  celsius: number;
}

const STEP = 10 * SECOND;
const NOISE = process('noise');

const sensorName = (index: number) => `sensor-${String(index).padStart(2, '0')}`;

export const plugin: GeneratorPlugin<Config> = {
  about: {
    name: '@name@',
    version: '0.1.0',
    summary: 'Temperatures that the sensors of a building report',
    examples: [{ name: 'few', config: { sensors: 3 } }],
  },

  // JSON Schema 2020-12 of the configuration; every property has a default.
  schema: {
    properties: {
      sensors: { type: 'integer', minimum: 1, maximum: 10000, default: 20, description: 'How many sensors there are' },
      celsius: { type: 'number', minimum: -50, maximum: 60, default: 21, description: 'What they show on average' },
    },
  },

  // What is simulated: the grid of time, tables, and what incidents can bend.
  plan(config) {
    const targets = Array.from({ length: config.sensors }, (_, i) =>
      target(sensorName(i), ['heat'], { attributes: { role: 'sensor' } }));
    return {
      step: STEP,
      tables: [
        table('readings', 'One reading of one sensor', {
          at: timestamp('When it was taken', { movedBy: [] }),
          sensor: text('Which sensor', { movedBy: [], owner: true }),
          celsius: float64('Temperature', { unit: 'Cel', movedBy: ['heat'] }),
          incident_id: text('The incident that bent it', { nullable: true }),
        }, { timeField: 'at' }),
      ],
      signals: [signal('heat', 'What warms a sensor', { table: 'readings', column: 'celsius', unit: 'Cel' })],
      targets,
    };
  },

  // One partition of a run: the sensors that `shard.owns`. A value follows from seed, sensor and step alone.
  open({ config, shard }) {
    const sensors = Array.from({ length: config.sensors }, (_, index) => index)
      .filter(shard.owns)
      .map((index) => ({ name: sensorName(index), noise: new Noise(shard.seed, NOISE, index, 60) }));
    return {
      advance(window, rows, effects) {
        for (const { t, step } of stepsOf(window, STEP)) {
          const day = 2 * Math.sin(((hourOfDay(t) - 9) / 12) * Math.PI);
          for (const { name, noise } of sensors) {
            const heat = effects.at(name, 'heat', t);
            const base = config.celsius + day + 0.5 * noise.at(step);
            rows.readings.push(t, name, heat.apply(base), heat.blame(base));
          }
        }
      },
    };
  },
};

export const { about, generator } = defineGenerator(plugin);
