// What incidents do to signals, and which of them to blame. The rules of overlap are those of wit/types.wit.

/** How far an effect has set in at an instant, 0 to 1. */
function strength(bend, t) {
  if (t < bend.start || t >= bend.end) return 0;
  if (t < bend.full) return (t - bend.start) / (bend.full - bend.start);
  return t < bend.release ? 1 : (bend.end - t) / (bend.end - bend.release);
}

/** Base times all scales plus all offsets; over that each `set` in the order of their starts. */
function bent(bends, t, base, only) {
  let scale = 1;
  let offset = 0;
  let keep = 1;
  let put = 0;
  for (const bend of bends) {
    if (only !== undefined && bend.incident !== only) continue;
    const s = strength(bend, t);
    if (s <= 0) continue;
    if (bend.operation === 'scale') scale *= 1 + (bend.value - 1) * s;
    else if (bend.operation === 'offset') offset += bend.value * s;
    else {
      keep *= 1 - s;
      put = put * (1 - s) + bend.value * s;
    }
  }
  return (base * scale + offset) * keep + put;
}

/** A signal of a target at one instant. */
class Bent {
  constructor(bends, t) {
    this.bends = bends;
    this.t = t;
  }

  /** What becomes of a base value. */
  apply(base) {
    return bent(this.bends, this.t, base);
  }

  /** The id of the incident that changes a base value most, or null; decoys change values and are never to blame. */
  blame(base) {
    let most = null;
    for (const { incident } of this.bends) {
      if (incident.role === 'decoy' || (most !== null && most.incident === incident)) continue;
      const change = Math.abs(bent(this.bends, this.t, base, incident) - base) / Math.max(Math.abs(base), Number.MIN_VALUE);
      const more = most === null || change > most.change || (change === most.change && incident.id < most.incident.id);
      if (change > 0 && more) most = { change, incident };
    }
    return most === null ? null : most.incident.id;
  }
}

const NEUTRAL = { apply: (base) => base, blame: () => null };

/** All that incidents do to a simulation. */
export class Effects {
  constructor(simulation) {
    const targets = new Map(simulation.targets.map((target) => [target.name, target]));
    this.below = new Map();
    for (const target of simulation.targets) {
      const names = [target.name];
      for (const name of names) {
        for (const parent of targets.get(name)?.parents ?? []) if (!names.includes(parent)) names.push(parent);
      }
      for (const name of names) this.below.set(name, [...(this.below.get(name) ?? []), target]);
    }
    this.known = new Set();
    this.bends = new Map();
    this.active = new Map();
  }

  /** Adds incidents; one that is known already is left as it is. */
  inject(incidents) {
    for (const incident of incidents.filter(({ id }) => !this.known.has(id))) {
      this.known.add(incident.id);
      for (const effect of incident.effects) {
        for (const target of this.below.get(effect.target) ?? []) {
          if (!target.signals.includes(effect.signal)) continue;
          const key = `${target.name}\n${effect.signal}`;
          const bends = this.bends.get(key) ?? [];
          bends.push({ ...effect, incident });
          bends.sort((a, b) => a.start - b.start || (a.incident.id < b.incident.id ? -1 : 1));
          this.bends.set(key, bends);
        }
      }
    }
  }

  /** Gathers what acts within a window; the glue calls it before each `advance`. */
  prepare(window) {
    this.active.clear();
    for (const [key, bends] of this.bends) {
      const acting = bends.filter((bend) => bend.start < window.end && window.start < bend.end);
      if (acting.length > 0) this.active.set(key, acting);
    }
  }

  /** What becomes of a signal of a target at an instant of the window that `advance` is asked for. */
  at(target, signal, t) {
    if (this.active.size === 0) return NEUTRAL;
    const bends = this.active.get(`${target}\n${signal}`);
    return bends === undefined ? NEUTRAL : new Bent(bends, t);
  }
}
