import assert from 'node:assert/strict';
import test from 'node:test';

import { plugin } from '../src/plugin.js';
import { DAY } from '../telemill/index.js';

const targets = [
  { name: 'home-1', parents: ['fleet'], signals: ['heating'], attributes: [] },
  { name: 'fleet', parents: [], signals: ['heating'], attributes: [] },
];
const open = (config) => plugin.open({ config, seed: 1, span: { start: 0, end: DAY }, targets });

test('a day has as many failures as configured, the same every time', () => {
  const plan = () => open({ failures_per_day: 5, rollout_every_days: 1 }).plan({ start: DAY, end: 2 * DAY });
  assert.deepEqual(plan().map(({ kind }) => kind), [...Array(5).fill('heating-failed'), 'faulty-rollout']);
  assert.deepEqual(plan(), plan());
});

test('what it can not bring about says so', () => {
  assert.throws(() => open({}).trigger('heating-failed', 'a-lamp', { start: 0, end: 1 }), /has no heating/);
});
