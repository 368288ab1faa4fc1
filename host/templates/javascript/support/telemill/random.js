// Keyed randomness: every draw follows from (seed, process, entity, step) and from nothing that came before it. The same
// key gives the same 64 bits as in Telemill's SDK for Rust.

const GOLDEN = 0x9e3779b97f4a7c15n;
const u64 = (x) => BigInt.asUintN(64, x);

/** The finaliser of SplitMix64: spreads every bit over all. */
function mix(x) {
  x = u64((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n);
  x = u64((x ^ (x >> 27n)) * 0x94d049bb133111ebn);
  return x ^ (x >> 31n);
}

const rotated = (x, by) => u64(x << by) | (x >> (64n - by));
const unit = (bits) => Number(bits >> 11n) / 9007199254740992;

/** The name of something random ("arrivals", "noise") as a part of keys; make it once. */
export function process(name) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of utf8(name)) hash = u64((hash ^ BigInt(byte)) * 0x100000001b3n);
  return mix(hash);
}

/** Seed, process and entity of a key, mixed once for many steps. Cheaper than a stream where one draw a step is enough. */
export class Steps {
  constructor(seed, of, entity) {
    const key = mix(u64(BigInt(seed) + GOLDEN) ^ of);
    this.key = mix(u64(key + BigInt(entity) * GOLDEN) ^ 0x6a09e667f3bcc909n);
  }

  /** 64 random bits, as a BigInt. */
  bits(step) {
    return mix(u64(this.key + BigInt(step) * GOLDEN) ^ 0xbb67ae8584caa73bn);
  }

  /** A number in [0, 1). */
  unit(step) {
    return unit(this.bits(step));
  }

  /** Normally distributed, mean 0 and variance 1. */
  normal(step) {
    return normalQuantile(this.unit(step));
  }

  /** A stream for as many draws as a step needs. */
  stream(step) {
    const key = this.bits(step);
    return new Stream(mix(u64(key + GOLDEN)), mix(u64(key + 2n * GOLDEN)));
  }
}

/** The stream of a key. */
export const stream = (seed, of, entity, step) => new Steps(seed, of, entity).stream(step);

/** Random numbers of one key (Xoroshiro128++). Never keep one from a step to the next: make one for each entity and step. */
export class Stream {
  constructor(low, high) {
    this.low = low;
    this.high = high;
  }

  /** The next 64 bits, as a BigInt. */
  bits() {
    const low = this.low;
    const out = u64(rotated(u64(low + this.high), 17n) + low);
    const high = this.high ^ low;
    this.low = rotated(low, 49n) ^ high ^ u64(high << 21n);
    this.high = rotated(high, 28n);
    return out;
  }

  /** A number in [0, 1). */
  unit() {
    return unit(this.bits());
  }

  /** Whether an event of this probability happens. */
  chance(probability) {
    return this.unit() < probability;
  }

  /** A number in [low, high). */
  between(low, high) {
    return low + (high - low) * this.unit();
  }

  /** A whole number from 0 to n - 1. */
  below(n) {
    return Number((this.bits() * BigInt(n)) >> 64n);
  }

  /** One of a list. */
  pick(list) {
    return list[this.below(list.length)];
  }

  /** Normally distributed. */
  normal(mean = 0, deviation = 1) {
    return mean + deviation * normalQuantile(this.unit());
  }

  /** The time to the next of events that come at random, `mean` apart. */
  exponential(mean) {
    return -mean * Math.log(1 - this.unit());
  }

  /** How many of events that come at random come in an interval in which `mean` are expected. */
  poisson(mean) {
    if (mean > 30) return Math.max(0, Math.round(this.normal(mean, Math.sqrt(mean))));
    let count = 0;
    for (let product = this.unit(), limit = Math.exp(-mean); product > limit; product *= this.unit()) count += 1;
    return count;
  }
}

const LEAST = 2 ** -54;

/** The inverse of the normal distribution (Acklam's rational approximation, relative error below 1.2e-9). */
function normalQuantile(p) {
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(Math.max(p, LEAST)));
    return (((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) * q + 2.938163982698783) /
      ((((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1);
  }
  if (p > 0.97575) return -normalQuantile(1 - p);
  const q = p - 0.5;
  const r = q * q;
  return q * (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
    30.66479806614716) * r + 2.506628277459239) /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) * r + 1);
}

/** Noise with a memory (Ornstein-Uhlenbeck, mean 0, variance 1): `memory` is the number of steps in which correlation falls
 * to 1/e. The value at a step depends on key and step alone; asking for one step after another is cheap. */
export class Noise {
  constructor(seed, of, entity, memory) {
    this.draws = new Steps(seed, of, entity);
    this.starts = new Steps(seed, of ^ GOLDEN, entity);
    this.keep = Math.exp(-1 / memory);
    this.spread = Math.sqrt(1 - this.keep * this.keep);
    this.block = Math.max(1, Math.ceil(memory * 7));
    this.current = null;
    this.step = 0;
    this.value = 0;
  }

  at(step) {
    const block = Math.floor(step / this.block);
    if (block !== this.current || step < this.step) {
      this.current = block;
      this.step = (block - 1) * this.block;
      this.value = this.starts.normal(this.step);
    }
    while (this.step < step) {
      this.step += 1;
      this.value = this.keep * this.value + this.spread * this.draws.normal(this.step);
    }
    return this.value;
  }
}

/** The bytes of a text; the engine that plugins run in has no TextEncoder. */
export function utf8(text) {
  const bytes = [];
  for (const letter of text) {
    const c = letter.codePointAt(0);
    if (c < 0x80) bytes.push(c);
    else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c >= 0xd800 && c < 0xe000) bytes.push(0xef, 0xbf, 0xbd);
    else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
  }
  return bytes;
}

/** The text of some bytes. */
export function fromUtf8(bytes, start = 0, end = bytes.length) {
  let text = '';
  for (let i = start; i < end;) {
    const b = bytes[i];
    const more = b < 0x80 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    let c = more === 0 ? b : b & (0x3f >> more);
    for (let k = 1; k <= more; k += 1) c = (c << 6) | (bytes[i + k] & 63);
    text += String.fromCodePoint(c);
    i += more + 1;
  }
  return text;
}
