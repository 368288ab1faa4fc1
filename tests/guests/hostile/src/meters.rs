//! The honest simulation underneath: meters that walk at random, one row a meter and second.
//! Knows nothing of columns or of faults.

use crate::bindings::telemill::plugin::types::{Effect, Incident, Operation};

/// The grid of simulated time, microseconds.
pub(crate) const STEP: i64 = 1_000_000;

/// Kinds of meters, which the column `kind` carries as a dictionary.
pub(crate) const KINDS: [&str; 3] = ["electricity", "gas", "wärme"];

/// One row before it is cut into columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) time: i64,
    pub(crate) id: i64,
    pub(crate) meter: u32,
    pub(crate) value: Option<f64>,
    pub(crate) flag: bool,
}

/// The meters of one partition and how far each has walked.
#[derive(Debug)]
pub(crate) struct Meters {
    seed: u64,
    levels: Vec<(u32, i64)>,
    effects: Vec<Effect>,
}

impl Meters {
    /// The meters with index % partitions == partition, all at the start of their walk.
    pub(crate) fn new(seed: u64, meters: u32, partition: u32, partitions: u32) -> Self {
        let own = (0..meters).filter(|meter| meter % partitions.max(1) == partition);
        Self { seed, levels: own.map(|meter| (meter, 1000)).collect(), effects: Vec::new() }
    }

    /// Takes the effects of incidents that have become known.
    pub(crate) fn inject(&mut self, incidents: Vec<Incident>) {
        self.effects.extend(incidents.into_iter().flat_map(|incident| incident.effects));
    }

    /// When the first effect starts, where any is known.
    pub(crate) fn first_effect(&self) -> Option<i64> {
        self.effects.iter().map(|effect| effect.start).min()
    }

    /// One row for each meter at `time`, and the walk goes on by one step.
    pub(crate) fn step(&mut self, time: i64, rows: &mut Vec<Row>) {
        for (meter, level) in &mut self.levels {
            let draw = mix(self.seed ^ mix(u64::from(*meter)) ^ mix(time.unsigned_abs()));
            *level += (draw % 21) as i64 - 10;
            let value = bend(&self.effects, *meter, time, *level as f64 / 10.0);
            rows.push(Row {
                time,
                id: (draw >> 1) as i64,
                meter: *meter,
                value: (!draw.is_multiple_of(10)).then_some(value),
                flag: draw & 4096 != 0,
            });
        }
    }

    /// How far the meters have walked, 8 bytes each.
    pub(crate) fn save(&self) -> Vec<u8> {
        self.levels.iter().flat_map(|(_, level)| level.to_le_bytes()).collect()
    }

    /// Goes on from what [`Meters::save`] gave; false where the state is of another shape.
    pub(crate) fn restore(&mut self, state: &[u8]) -> bool {
        let (chunks, rest) = state.as_chunks::<8>();
        if !rest.is_empty() || chunks.len() != self.levels.len() {
            return false;
        }
        for ((_, level), chunk) in self.levels.iter_mut().zip(chunks) {
            *level = i64::from_le_bytes(*chunk);
        }
        true
    }
}

/// The name of a meter, as a target and in the column `name`.
pub(crate) fn name(meter: u32) -> String {
    format!("meter-{meter}")
}

/// Adds to effects on a meter the same effects on the next.
pub(crate) fn leak(effects: &mut Vec<Effect>) {
    let next = |effect: &Effect| {
        let meter: u32 = effect.target.strip_prefix("meter-")?.parse().ok()?;
        Some(Effect { target: name(meter + 1), ..effect.clone() })
    };
    let leaked: Vec<Effect> = effects.iter().filter_map(next).collect();
    effects.extend(leaked);
}

/// NaNs of every kind (quiet, of either sign, with something in their bits, signalling) and both infinities.
pub(crate) fn not_finite(id: i64) -> f64 {
    const BITS: [u64; 6] = [
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0000,
        0x7ff8_0000_dead_beef,
        0x7ff0_0000_0000_0001,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
    ];
    f64::from_bits(BITS[id.rem_euclid(BITS.len() as i64) as usize])
}

/// The base times all scales plus all offsets; the latest `set` wins, ramping from the base.
fn bend(effects: &[Effect], meter: u32, time: i64, base: f64) -> f64 {
    let target = name(meter);
    let (mut scale, mut offset, mut set) = (1.0, 0.0, None::<(i64, f64)>);
    for effect in effects.iter().filter(|effect| effect.signal == "value") {
        let force = force(effect, time);
        if force == 0.0 || (effect.target != target && effect.target != "site") {
            continue;
        }
        match effect.operation {
            Operation::Scale => scale *= 1.0 + (effect.value - 1.0) * force,
            Operation::Offset => offset += effect.value * force,
            Operation::Set if set.is_none_or(|(start, _)| effect.start >= start) => {
                set = Some((effect.start, base + (effect.value - base) * force));
            }
            Operation::Set => {}
        }
    }
    set.map_or(base * scale + offset, |(_, value)| value)
}

/// How much of an effect is in force at `time`, from 0 to 1.
fn force(effect: &Effect, time: i64) -> f64 {
    if time < effect.start || time >= effect.end {
        0.0
    } else if time < effect.full {
        (time - effect.start) as f64 / (effect.full - effect.start) as f64
    } else if time < effect.release {
        1.0
    } else {
        (effect.end - time) as f64 / (effect.end - effect.release) as f64
    }
}

/// SplitMix64's finaliser.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
