// Rows as packed columns: what the host takes from a plugin and sends to one, without an object a value.

import { fromUtf8, utf8 } from './random.js';

const TWO_32 = 4294967296;

/** A buffer that grows, seen as one kind of typed array. */
class Buffer {
  constructor(Kind) {
    this.Kind = Kind;
    this.values = new Kind(64);
    this.length = 0;
  }

  room(more) {
    if (this.length + more > this.values.length) {
      const grown = new this.Kind(Math.max(this.values.length * 2, this.length + more));
      grown.set(this.values);
      this.values = grown;
    }
  }

  push(value) {
    if (this.length === this.values.length) this.room(1);
    this.values[this.length] = value;
    this.length += 1;
  }

  bytes() {
    const part = this.values.slice(0, this.length);
    return new Uint8Array(part.buffer, 0, part.byteLength);
  }
}

class Bits {
  constructor() {
    this.buffer = new Buffer(Uint8Array);
    this.length = 0;
  }

  push(bit) {
    if (this.length % 8 === 0) this.buffer.push(0);
    if (bit) this.buffer.values[this.length >> 3] |= 1 << (this.length & 7);
    this.length += 1;
  }
}

const packed = (bytes) => ({ tag: 'packed', val: bytes });

/** A value that a column can't hold is not bent into one that it can. */
function refuse(place, value, wanted) {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  throw new TypeError(`${place} got ${shown} (${value === null ? 'null' : typeof value}) instead of ${wanted}`);
}

/** Numbers with a fraction; what is no number at all, NaN, is a value like others. */
class Fractions {
  constructor(Kind, place) {
    this.buffer = new Buffer(Kind);
    this.place = place;
  }

  push(value) {
    if (typeof value !== 'number') refuse(this.place, value, 'a number');
    this.buffer.push(value);
  }

  blank() {
    this.buffer.push(0);
  }

  finish() {
    return packed(this.buffer.bytes());
  }
}

/** 32-bit whole numbers; a fraction is cut off. */
class Small {
  constructor(place) {
    this.buffer = new Buffer(Int32Array);
    this.place = place;
  }

  push(value) {
    if (typeof value !== 'number' || !(value > -2147483649 && value < 2147483648)) {
      refuse(this.place, value, 'a whole number of 32 bits');
    }
    this.buffer.push(value);
  }

  blank() {
    this.buffer.push(0);
  }

  finish() {
    return packed(this.buffer.bytes());
  }
}

/** 64-bit whole numbers, from plain numbers: exact up to 2^53, which for times is the year 2255. */
class Whole {
  constructor(place) {
    this.buffer = new Buffer(Uint32Array);
    this.place = place;
  }

  push(value) {
    if (typeof value !== 'number' || !(value >= -9223372036854775808 && value < 9223372036854775808)) {
      refuse(this.place, value, 'a whole number');
    }
    this.buffer.push(value >>> 0);
    this.buffer.push(Math.floor(value / TWO_32) >>> 0);
  }

  blank() {
    this.push(0);
  }

  finish() {
    return packed(this.buffer.bytes());
  }
}

class Booleans {
  constructor(place) {
    this.bits = new Bits();
    this.place = place;
  }

  push(value) {
    if (typeof value !== 'boolean') refuse(this.place, value, 'true or false');
    this.bits.push(value);
  }

  blank() {
    this.bits.push(false);
  }

  finish() {
    return packed(this.bits.buffer.bytes());
  }
}

/** Text: a dictionary, since values mostly repeat. */
class Texts {
  constructor(place) {
    this.place = place;
    this.keys = new Buffer(Uint32Array);
    this.known = new Map();
    this.offsets = new Buffer(Uint32Array);
    this.text = new Buffer(Uint8Array);
    this.offsets.push(0);
  }

  key(value) {
    let key = this.known.get(value);
    if (key === undefined) {
      key = this.known.size;
      this.known.set(value, key);
      const bytes = utf8(value);
      this.text.room(bytes.length);
      this.text.values.set(bytes, this.text.length);
      this.text.length += bytes.length;
      this.offsets.push(this.text.length);
    }
    return key;
  }

  push(value) {
    if (typeof value === 'string') this.keys.push(this.key(value));
    else if (typeof value === 'number' || typeof value === 'boolean') this.keys.push(this.key(String(value)));
    else refuse(this.place, value, 'a string');
  }

  blank() {
    this.keys.push(this.key(''));
  }

  finish() {
    const values = { offsets: this.offsets.bytes(), bytes: this.text.bytes() };
    return { tag: 'dictionary', val: { keys: this.keys.bytes(), values } };
  }
}

const BUILDERS = {
  boolean: (place) => new Booleans(place),
  int32: (place) => new Small(place),
  int64: (place) => new Whole(place),
  float32: (place) => new Fractions(Float32Array, place),
  float64: (place) => new Fractions(Float64Array, place),
  utf8: (place) => new Texts(place),
  date: (place) => new Small(place),
  timestamp: (place) => new Whole(place),
};

class Nullable {
  constructor(inner) {
    this.inner = inner;
    this.valid = new Bits();
    this.nulls = 0;
  }

  push(value) {
    const is = value !== null && value !== undefined;
    this.valid.push(is);
    if (is) this.inner.push(value);
    else {
      this.nulls += 1;
      this.inner.blank();
    }
  }

  finish() {
    return this.inner.finish();
  }

  validity() {
    return this.nulls > 0 ? this.valid.buffer.bytes() : null;
  }
}

/** Collects the rows of one table in one window. */
export class Rows {
  constructor(table) {
    this.table = table;
    this.names = table.fields.map((field) => field.name);
    this.places = this.names.map((name) => `column ${name} of table ${table.name}`);
    this.begin();
  }

  begin() {
    this.count = 0;
    this.columns = this.table.fields.map((field, i) => {
      const column = BUILDERS[field.dataType](this.places[i]);
      return field.nullable ? new Nullable(column) : column;
    });
  }

  /** Adds a row, its values in the order of the fields. */
  push(...values) {
    const columns = this.columns;
    if (values.length !== columns.length) {
      throw new Error(`a row of ${this.table.name} has ${values.length} values instead of ${columns.length}: ${this.names}`);
    }
    for (let i = 0; i < columns.length; i += 1) columns[i].push(values[i]);
    this.count += 1;
  }

  /** Adds a row as an object; what it lacks is null. Every name must be a field's. */
  add(row) {
    for (const name of Object.keys(row)) {
      if (!this.names.includes(name)) throw new Error(`the table ${this.table.name} has no field ${name}`);
    }
    this.push(...this.names.map((name) => {
      if (!(name in row) && !this.table.fields[this.names.indexOf(name)].nullable) {
        throw new Error(`a row of ${this.table.name} has no ${name}`);
      }
      return row[name];
    }));
  }

  /** The batch for the host, or none; begins anew. */
  finish(index) {
    if (this.count === 0) return null;
    const columns = this.columns.map((column) => ({ values: column.finish(), validity: column.validity?.() ?? null }));
    const batch = { table: index, rows: this.count, columns };
    this.begin();
    return batch;
  }
}

const WIDTHS = { int32: Int32Array, date: Int32Array, float32: Float32Array, float64: Float64Array };

/** Values of a column that the host sent, as an array or a typed array; times and 64-bit numbers as plain numbers. */
function values(column, dataType, rows) {
  const { tag, val } = column.values;
  const aligned = (bytes, Kind) => new Kind(bytes.slice().buffer, 0, Math.floor(bytes.length / Kind.BYTES_PER_ELEMENT));
  if (tag === 'text' || tag === 'dictionary') {
    const text = tag === 'text' ? val : val.values;
    const offsets = aligned(text.offsets, Uint32Array);
    const all = Array.from({ length: offsets.length - 1 }, (_, i) => fromUtf8(text.bytes, offsets[i], offsets[i + 1]));
    return tag === 'text' ? all : Array.from(aligned(val.keys, Uint32Array), (key) => all[key]);
  }
  if (dataType === 'boolean') return Array.from({ length: rows }, (_, i) => (val[i >> 3] >> (i & 7) & 1) === 1);
  if (dataType === 'int64' || dataType === 'timestamp') {
    const halves = aligned(val, Uint32Array);
    const numbers = new Float64Array(rows);
    for (let i = 0; i < rows; i += 1) numbers[i] = (halves[2 * i + 1] | 0) * TWO_32 + halves[2 * i];
    return numbers;
  }
  return aligned(val, WIDTHS[dataType]);
}

/** Rows that the host sent: `batch.columns[name][row]`; null where there is no value. */
export class Batch {
  constructor(batch, fields) {
    this.rows = batch.rows;
    this.columns = {};
    fields.forEach((field, i) => {
      const column = batch.columns[i];
      const all = values(column, field.dataType, batch.rows);
      const valid = column.validity;
      this.columns[field.name] = valid ? Array.from(all, (value, row) => (valid[row >> 3] >> (row & 7) & 1 ? value : null)) : all;
    });
  }
}
