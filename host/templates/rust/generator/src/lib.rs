//! The generator `@name@`: what the sensors of a building report. Put your own system in its place.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemill_sdk::noise::OrnsteinUhlenbeck;
use telemill_sdk::time::{HOUR, SECOND, step_index};
use telemill_sdk::{
    About, Attribute, DictionaryColumn, Effects, Error, Example, F64Column, Generator, Nullable, Output, Problem,
    Process, Rows, Shard, Signal, Simulation, Target, TextColumn, TimestampColumn, Window, hash, table,
};

const STEP: i64 = 10 * SECOND;
/// The position of the signal in the simulation's list.
const HEAT: usize = 0;
const NOISE: Process = Process::named("noise");

/// What a user can say. Doc comments become the descriptions in the schema.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many sensors there are, 1 to 10,000.
    pub sensors: u32,
    /// What they show on average, in degrees Celsius.
    pub celsius: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { sensors: 20, celsius: 21.0 }
    }
}

table! {
    /// One reading of one sensor.
    pub struct Readings("readings") {
        /// When it was taken.
        at: TimestampColumn,
        /// Which sensor.
        sensor: DictionaryColumn,
        /// Temperature.
        celsius: F64Column => "Cel",
        /// The incident that bent it.
        incident_id: Nullable<TextColumn>,
    }
    time_field: "at",
    primary_key: ["at", "sensor"],
    // Which signals may move a field, "" for none: `telemill plugin test` holds the model to it.
    moved_by: { "": [at, sensor], "heat": [celsius] },
    // The field that names the target that a row belongs to: effects on others leave the row as it is, and that is held, too.
    owner: sensor,
}

/// The sensors of one partition of a run.
pub struct Building {
    celsius: f64,
    sensors: Vec<(usize, OrnsteinUhlenbeck)>,
    rows: Readings,
}

fn sensor_name(index: u32) -> String {
    format!("sensor-{index:02}")
}

impl Generator for Building {
    type Config = Config;
    type State = ();

    fn about() -> About {
        About {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Temperatures that the sensors of a building report".to_owned(),
            documentation: include_str!("../README.md").to_owned(),
            examples: vec![Example::new("few", r#"{"sensors": 3}"#)],
            attributes: Vec::new(),
        }
    }

    fn check(config: &Config) -> Vec<Problem> {
        let fine = (1..=10_000).contains(&config.sensors);
        if fine { Vec::new() } else { vec![Problem::new("/sensors", "there are 1 to 10,000 sensors")] }
    }

    /// What is simulated: the grid of time, tables, and what incidents can bend.
    fn plan(config: &Config) -> Result<Simulation, Error> {
        let heat = Signal {
            name: "heat".to_owned(),
            unit: Some("Cel".to_owned()),
            summary: "What warms a sensor".to_owned(),
            table: "readings".to_owned(),
            column: "celsius".to_owned(),
            inverse: false,
        };
        let target = |index| Target {
            name: sensor_name(index),
            parents: Vec::new(),
            signals: vec!["heat".to_owned()],
            attributes: vec![Attribute::new("role", "sensor")],
        };
        Ok(Simulation {
            tables: vec![Readings::table()],
            signals: vec![heat],
            targets: (0..config.sensors).map(target).collect(),
            inputs: Vec::new(),
            step_micros: STEP as u64,
            attributes: Vec::new(),
        })
    }

    /// One partition of a run: the sensors that it owns. A value follows from seed, sensor and step alone.
    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        let mut rows = Readings::default();
        rows.sensor.set_values((0..config.sensors).map(sensor_name));
        let owned = (0..config.sensors).filter(|index| shard.owns(u64::from(*index)));
        let noise = |index: u32| OrnsteinUhlenbeck::new(hash(shard.seed, NOISE, u64::from(index), 0), 60.0);
        Ok(Self { celsius: config.celsius, sensors: owned.map(|index| (index as usize, noise(index))).collect(), rows })
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        for step in window.steps(STEP) {
            let t = step.start;
            let hour = t.rem_euclid(24 * HOUR) as f64 / HOUR as f64;
            let day = 2.0 * ((hour - 9.0) / 12.0 * PI).sin();
            for (index, noise) in &mut self.sensors {
                let base = self.celsius + day + 0.5 * noise.at(step_index(t, STEP));
                let heat = effects.at(*index, HEAT, t);
                self.rows.at.push(t);
                self.rows.sensor.push(*index as u32);
                self.rows.celsius.push(heat.apply(base));
                self.rows.incident_id.push_option(heat.blame(base).map(|blame| blame.id));
            }
        }
        self.rows.finish(output)
    }
}

telemill_sdk::export_generator!(Building);

#[cfg(test)]
mod tests {
    use telemill_sdk::native::Run;
    use telemill_sdk::time::MINUTE;

    use super::*;

    #[test]
    fn every_sensor_reports_every_ten_seconds() {
        let run = Run::new(r#"{"sensors": 5}"#, Window::new(0, 10 * MINUTE)).seed(7).partitions(2);
        let batches = run.rows::<Building>().unwrap();
        assert_eq!(batches.iter().map(|batch| batch.rows()).sum::<usize>(), 5 * 60);
    }
}
