import assert from 'node:assert/strict';
import test from 'node:test';

import { plugin } from '../src/plugin.js';
import { asSet, run } from '../telemill/testing.js';

const config = { sensors: 5, celsius: 21 };

test('partitions and windows make the same rows', () => {
  const one = run(plugin, { config });
  const many = run(plugin, { config, partitions: 3, windows: 7 });
  assert.equal(one.readings.length, 5 * 60);
  assert.deepEqual(asSet(one.readings), asSet(many.readings));
});

test('an incident moves the readings and is blamed for it', () => {
  const effect = { target: 'sensor-01', signal: 'heat', operation: 'scale', value: 3, start: 0, full: 0, release: 6e8, end: 6e8 };
  const { readings } = run(plugin, { config, incidents: [{ id: 'I-1', role: 'incident', effects: [effect] }] });
  const struck = readings.filter((row) => row.incident_id === 'I-1');
  assert.equal(struck.length, 60);
  assert.ok(struck.every((row) => row.sensor === 'sensor-01' && row.celsius > 40));
});
