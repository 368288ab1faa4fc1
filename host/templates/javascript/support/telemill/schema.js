// Tables, fields, signals and targets as the contract declares them; what is not said has a default.

// `movedBy` names the signals that may move the column, `[]` for none; with `owner`, the column names the target that a row
// belongs to: effects on others leave the row as it is. The conformance check holds the model to both.
const field = (dataType) => (summary, { nullable = false, unit = null, attributes = [], movedBy = null, owner = false } = {}) => ({
  dataType,
  nullable,
  unit,
  summary,
  attributes: [
    ...attributes,
    ...(movedBy ? [['moved_by', movedBy.join(', ')]] : []),
    ...(owner ? [['owner', 'target']] : []),
  ].map(attribute),
});

const attribute = (one) => (Array.isArray(one) ? { name: one[0], value: String(one[1]) } : one);

export const boolean = field('boolean');
export const int32 = field('int32');
export const int64 = field('int64');
export const float32 = field('float32');
export const float64 = field('float64');
export const text = field('utf8');
export const date = field('date');
export const timestamp = field('timestamp');

/** A table: `table('readings', 'what it holds', { at: timestamp('when') }, { timeField: 'at' })`. */
export function table(name, summary, fields, { timeField = null, primaryKey = [], kind = 'events', attributes = [] } = {}) {
  const named = Object.entries(fields).map(([key, declared]) => ({ name: key, ...declared }));
  return { name, summary, kind, fields: named, primaryKey, timeField, attributes: attributes.map(attribute) };
}

/** A quantity that incidents can bend, and the column that shows it. */
export const signal = (name, summary, { table: of, column, unit = null, inverse = false }) => ({
  name,
  unit,
  summary,
  table: of,
  column,
  inverse,
});

/** A part of the system that incidents can act on. */
export const target = (name, signals, { parents = [], attributes = {} } = {}) => ({
  name,
  parents,
  signals,
  attributes: Object.entries(attributes).map(attribute),
});

/** What `plan` of a generator returns, whole. */
export const simulation = ({ step, tables, signals = [], targets = [], inputs = [], attributes = [] }) => ({
  tables,
  signals,
  targets,
  inputs: inputs.map(({ table: of, fields, required = true }) => ({
    table: of,
    fields: Object.entries(fields).map(([name, declared]) => ({ name, ...declared })),
    required,
  })),
  step,
  attributes: attributes.map(attribute),
});
