import assert from 'node:assert/strict';
import test from 'node:test';

import { plugin } from '../build/test.js';
import { DAY } from '../telemill/index.js';

const targets = [{ name: 'a', parents: [], signals: ['load'], attributes: [] }];
const span = { start: 0, end: 2 * DAY };

test('a day has as many incidents as configured, the same every time', () => {
  const plan = () => plugin.open({ config: { per_day: 5, factor: 3 }, seed: 1, span, targets }).plan({ start: DAY, end: 2 * DAY });
  assert.equal(plan().length, 5);
  assert.deepEqual(plan(), plan());
  assert.ok(plan().every(({ window }) => window.start >= DAY && window.start < 2 * DAY));
});
