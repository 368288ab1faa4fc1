import assert from 'node:assert/strict';
import test from 'node:test';

import { plugin } from '../src/plugin.js';
import { DAY } from '../telemill/index.js';
import { asSet, run } from '../telemill/testing.js';

const config = { homes: 7, outdoor_celsius: 2 };

test('partitions and windows make the same rows', () => {
  const one = run(plugin, { config });
  const many = run(plugin, { config, partitions: 3, windows: 7 });
  assert.equal(one.thermostats.length, 7 * 60);
  assert.deepEqual(asSet(one.thermostats), asSet(many.thermostats));
});

test('a heating that is off cools its home and is blamed for it', () => {
  const effect = { target: 'home-0002', signal: 'heating', operation: 'set', value: 0, start: 0, full: 0, release: DAY, end: DAY };
  const incidents = [{ id: 'OFF', role: 'incident', effects: [effect] }];
  const { thermostats } = run(plugin, { config, incidents });
  const struck = thermostats.filter((row) => row.incident_id === 'OFF');
  assert.equal(struck.length, 60);
  assert.ok(struck.every((row) => row.home === 'home-0002' && row.duty === 0 && row.celsius < row.set_point - 2));
});
