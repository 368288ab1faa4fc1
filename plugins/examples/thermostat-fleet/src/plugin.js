// The generator thermostat-fleet: what the thermostats of many homes report. A home loses heat to the weather, its heating
// follows the thermostat, and people turn it down at night and when they leave.

import { MINUTE, Noise, defineGenerator, float64, hourOfDay, process, signal, stepsOf, stream, table, target, text,
  timestamp, weekday } from '../telemill/index.js';

const STEP = 5 * MINUTE;
const HOME = process('home');
const WEATHER = process('weather');
const DRAUGHT = process('draught');

const homeName = (index) => `home-${String(index + 1).padStart(4, '0')}`;

/** How people of a home want it: warm in the morning and in the evening, cooler at night and while they are at work. */
function wanted(home, hour, day) {
  const awake = hour >= home.up && hour < home.up + 16.5;
  const away = day < 5 && home.works && hour >= home.up + 2 && hour < home.up + 10;
  return home.comfort - (awake ? (away ? 3 : 0) : 4);
}

export const plugin = {
  about: {
    name: 'thermostat-fleet',
    version: '0.1.0',
    summary: 'Thermostats of many homes: set point, temperature, how much the heating works',
    documentation: 'Homes differ in insulation, habits and comfort. A broken heating cools a home down slowly: the effect ' +
      'on `heating` lowers its duty, and the temperature follows. Cold weather is one for all homes.',
    examples: [{ name: 'a village in winter', config: { homes: 30, outdoor_celsius: -5 } }],
  },

  schema: {
    properties: {
      homes: { type: 'integer', minimum: 1, maximum: 20000, default: 200, description: 'Homes with a thermostat' },
      outdoor_celsius: { type: 'number', minimum: -40, maximum: 30, default: 4, description: 'Mean temperature outdoors' },
    },
  },

  plan(config) {
    const homes = Array.from({ length: config.homes }, (_, index) =>
      target(homeName(index), ['heating'], { parents: ['fleet'], attributes: { role: 'home' } }));
    return {
      step: STEP,
      tables: [
        table('thermostats', 'One report of one thermostat', {
          at: timestamp('When it reported', { movedBy: [] }),
          home: text('Which home', { movedBy: [] }),
          set_point: float64('What people want', { unit: 'Cel', movedBy: [] }),
          celsius: float64('What it is', { unit: 'Cel' }),
          duty: float64('How much of the time the heating works', { unit: '%' }),
          incident_id: text('The incident that bent it', { nullable: true }),
        }, { timeField: 'at', primaryKey: ['at', 'home'] }),
      ],
      signals: [signal('heating', 'What a heating gives', { table: 'thermostats', column: 'duty', unit: '%' })],
      targets: [...homes, target('fleet', ['heating'], { attributes: { role: 'system' } })],
    };
  },

  open({ config, shard }) {
    const weather = new Noise(shard.seed, WEATHER, 0, 288);
    const homes = [];
    for (let index = 0; index < config.homes; index += 1) {
      if (!shard.owns(index)) continue;
      const draw = stream(shard.seed, HOME, index, 0);
      homes.push({
        name: homeName(index),
        comfort: 19.5 + 2.5 * draw.unit(),
        up: 5.5 + 3 * draw.unit(),
        works: draw.chance(0.7),
        loss: draw.between(1.2, 3.2),
        draught: new Noise(shard.seed, DRAUGHT, index, 24),
      });
    }
    return {
      advance(window, rows, effects) {
        for (const { t, step } of stepsOf(window, STEP)) {
          const hour = hourOfDay(t);
          const day = weekday(t);
          const outdoor = config.outdoor_celsius + 4 * Math.sin(((hour - 9) / 12) * Math.PI) + 3 * weather.at(step);
          for (const home of homes) {
            const setPoint = Math.round(2 * wanted(home, hour, day)) / 2;
            const draught = home.draught.at(step);
            // What keeps the home at its set point: its losses, a little more where it is draughty.
            const needed = Math.min(95, Math.max(1, home.loss * (setPoint - outdoor) + 3 * draught));
            const heating = effects.at(home.name, 'heating', t);
            const duty = Math.min(100, Math.max(0, heating.apply(needed)));
            const celsius = setPoint + 0.2 * draught + (duty - needed) / home.loss / 2;
            rows.thermostats.push(t, home.name, setPoint, celsius, duty, heating.blame(needed));
          }
        }
      },
    };
  },
};

export const { about, generator } = defineGenerator(plugin);
