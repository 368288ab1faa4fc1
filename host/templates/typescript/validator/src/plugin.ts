// The validator @name@: numbers that are not there, or no numbers. Put your own rule in its place.

import { type Finding, type ValidatorPlugin, defineValidator } from '../telemill/index.js';

interface Config {
  at_most: number;
}

export const plugin: ValidatorPlugin<Config> = {
  about: {
    name: '@name@',
    version: '0.1.0',
    summary: 'Numbers are there, and are finite',
  },

  schema: {
    properties: {
      at_most: { type: 'number', minimum: 0, maximum: 1, default: 0.05, description: 'The share of missing numbers that is fine' },
    },
  },

  // `tables` are those of the dataset: say which columns you read, and in which order you want the rows.
  open({ config, tables }) {
    const seen: { table: string; columns: string[]; checked: number; failed: number }[] = [];
    for (const table of tables) {
      const columns = table.fields.filter((field) => field.dataType === 'float64').map((field) => field.name);
      if (columns.length > 0) seen.push({ table: table.name, columns, checked: 0, failed: 0 });
    }
    return {
      selections: seen.map(({ table, columns }) => ({ table, columns })),

      // Rows come in batches; keep counts rather than rows.
      observe(selection, batch) {
        const tally = seen[selection];
        for (const name of tally.columns) {
          const values = batch.columns[name];
          for (let row = 0; row < batch.rows; row += 1) if (!Number.isFinite(values[row])) tally.failed += 1;
          tally.checked += batch.rows;
        }
      },

      finish() {
        const findings = seen.map(({ table, checked, failed }): Finding => ({
          rule: 'numbers-are-there',
          severity: failed > checked * config.at_most ? 'high' : 'info',
          table,
          message: `${failed} of ${checked} numbers are missing or not finite`,
          failed,
          checked,
        }));
        return { findings, metrics: [{ name: 'tables', value: seen.length }] };
      },
    };
  },
};

export const { about, validator } = defineValidator(plugin);
