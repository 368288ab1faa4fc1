// Drives a plugin as the host does, for its own tests.

import { Batch, Effects, Rows, simulation } from './index.js';

/** The rows of a generator, `{ table: [row, ...] }`, from as many partitions and windows as asked for. */
export function run(plugin, { config, seed = 42, start = 0, steps = 60, partitions = 1, windows = 1, incidents = [] }) {
  const planned = simulation(plugin.plan(config));
  const made = Object.fromEntries(planned.tables.map((table) => [table.name, []]));
  for (let partition = 0; partition < partitions; partition += 1) {
    const span = { start, end: start + steps * planned.step };
    const shard = { seed, partition, partitions, span, owns: (index) => index % partitions === partition };
    const model = plugin.open({ config, shard });
    const effects = new Effects(planned);
    effects.inject(incidents);
    const tables = planned.tables.map((table) => new Rows(table));
    for (let window = 0; window < windows; window += 1) {
      const from = start + Math.floor((steps * window) / windows) * planned.step;
      const to = start + Math.floor((steps * (window + 1)) / windows) * planned.step;
      effects.prepare({ start: from, end: to });
      model.advance({ start: from, end: to }, Object.fromEntries(tables.map((rows) => [rows.table.name, rows])), effects);
      tables.forEach((rows, index) => {
        const batch = rows.finish(index);
        if (batch === null) return;
        const { columns } = new Batch(batch, rows.table.fields);
        const names = rows.table.fields.map((field) => field.name);
        for (let row = 0; row < batch.rows; row += 1) {
          made[rows.table.name].push(Object.fromEntries(names.map((name) => [name, columns[name][row]])));
        }
      });
    }
  }
  return made;
}

/** The same rows in an order of their own, to compare sets. */
export const asSet = (rows) => rows.map((row) => JSON.stringify(row)).sort();
