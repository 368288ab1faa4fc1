import assert from 'node:assert/strict';
import test from 'node:test';

import { plugin } from '../build/test.js';

const tables = [{ name: 'readings', fields: [{ name: 'value', dataType: 'float64' }] }];

test('missing numbers are counted', () => {
  const model = plugin.open({ config: { at_most: 0.1 }, tables });
  model.observe(0, { rows: 4, columns: { value: [1, null, NaN, 4] } });
  const { findings } = model.finish();
  assert.deepEqual([findings[0].failed, findings[0].checked, findings[0].severity], [2, 4, 'high']);
});
