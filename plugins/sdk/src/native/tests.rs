//! A small generator and a small validator through the whole of the SDK.
#![expect(clippy::unwrap_used, reason = "tests")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::batch::Values;
use crate::time::{HOUR, MINUTE, SECOND};
use crate::{
    About, BoolColumn, Effect, Effects, F64Column, Finding, I64Column, Input, Nullable, Operation, Output, Process,
    Role, Rows, Selection, Severity, Signal, Stream, TextColumn, TimestampColumn,
};

crate::table! {
    /// Balls that fell into an urn.
    struct Balls("balls") {
        /// When it fell.
        time: TimestampColumn,
        /// Which ball.
        ball: I64Column,
        /// How heavy it is.
        weight: F64Column => "g",
        /// All that fell before it.
        total: I64Column,
        /// Whether it is red.
        red: BoolColumn,
        /// What is written on it.
        label: Nullable<TextColumn>,
    }
    time_field: "time",
    primary_key: ["ball"],
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    per_second: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { per_second: 3 }
    }
}

/// Carries a count as its state and an urn that no other partition sees.
struct Urn {
    config: Config,
    shard: Shard,
    total: i64,
    rows: Balls,
}

const WEIGHT: Process = Process::named("weight");

impl Generator for Urn {
    type Config = Config;
    type State = i64;

    fn about() -> About {
        About {
            name: "urn".to_owned(),
            version: "1.0.0".to_owned(),
            summary: String::new(),
            documentation: String::new(),
            examples: Vec::new(),
            attributes: Vec::new(),
        }
    }

    fn plan(_: &Config) -> Result<Simulation, Error> {
        Ok(Simulation {
            tables: vec![Balls::table()],
            signals: vec![Signal {
                name: "weight".to_owned(),
                unit: Some("g".to_owned()),
                summary: String::new(),
                table: "balls".to_owned(),
                column: "weight".to_owned(),
                inverse: false,
            }],
            targets: vec![Target {
                name: "urn".to_owned(),
                parents: Vec::new(),
                signals: vec!["weight".to_owned()],
                attributes: Vec::new(),
            }],
            inputs: vec![Input { table: "hosts".to_owned(), fields: Vec::new(), required: false }],
            step_micros: SECOND as u64,
            attributes: Vec::new(),
        })
    }

    fn open(config: Config, shard: Shard) -> Result<Self, Error> {
        Ok(Self { config, shard, total: 0, rows: Balls::default() })
    }

    fn advance(&mut self, window: Window, effects: &Effects, output: &mut Output) -> Result<(), Error> {
        for step in window.steps(SECOND) {
            for index in 0..self.config.per_second {
                let ball = (step.start / SECOND) as u64 * self.config.per_second + index;
                // What partitions share, each computes for itself.
                self.total += 1;
                if !self.shard.owns(ball) {
                    continue;
                }
                let mut stream = Stream::of(self.shard.seed, WEIGHT, ball, 0);
                self.rows.time.push(step.start);
                self.rows.ball.push(ball as i64);
                self.rows.weight.push(effects.at(0, 0, step.start).apply(1.0 + stream.unit()));
                self.rows.total.push(self.total);
                self.rows.red.push(stream.chance(0.5));
                match ball % 3 {
                    0 => self.rows.label.push_null(),
                    _ => self.rows.label.present().push_numbered("ball-", ball),
                }
            }
        }
        self.rows.finish(output)
    }

    fn save(&self) -> Option<i64> {
        Some(self.total)
    }

    fn restore(config: Config, shard: Shard, state: i64) -> Result<Self, Error> {
        Ok(Self { total: state, ..Self::open(config, shard)? })
    }
}

crate::export_generator!(Urn);

const SPAN: Window = Window::new(-HOUR, HOUR);

fn heavy() -> Vec<Incident> {
    let effects = vec![Effect {
        target: "urn".to_owned(),
        signal: "weight".to_owned(),
        operation: Operation::Scale,
        value: 10.0,
        start: 0,
        full: MINUTE,
        release: 2 * MINUTE,
        end: 3 * MINUTE,
    }];
    let (window, recovered) = Incident::span_of(&effects).unwrap();
    vec![Incident {
        id: "i".to_owned(),
        kind: "heavy".to_owned(),
        role: Role::Incident,
        title: String::new(),
        severity: Severity::Low,
        cause: None,
        window,
        recovered,
        effects,
        attributes: Vec::new(),
    }]
}

/// Every row as text, sorted.
fn lines(batches: &[Batch]) -> Vec<String> {
    let mut lines: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            (0..batch.rows()).map(|row| {
                format!(
                    "{:?} {:?} {:?} {:?} {:?} {:?}",
                    batch.i64("time", row).unwrap(),
                    batch.i64("ball", row).unwrap(),
                    batch.f64("weight", row).unwrap(),
                    batch.i64("total", row).unwrap(),
                    batch.bool("red", row).unwrap(),
                    batch.text("label", row),
                )
            })
        })
        .collect();
    lines.sort();
    lines
}

fn run() -> Run {
    Run::new("", SPAN).seed(5).incidents(heavy())
}

#[test]
fn windows_segments_and_partitions_change_no_row() {
    let once = lines(&run().windows(2 * HOUR).rows::<Urn>().unwrap());
    assert_eq!(once.len(), 2 * 3600 * 3);
    assert_eq!(once, lines(&run().windows(7 * SECOND).rows::<Urn>().unwrap()));
    assert_eq!(once, lines(&run().segments(10 * MINUTE).rows::<Urn>().unwrap()));
    assert_eq!(once, lines(&run().partitions(3).segments(HOUR).rows::<Urn>().unwrap()));
    assert_ne!(once, lines(&run().seed(6).rows::<Urn>().unwrap()));
    assert_ne!(once, lines(&run().incidents(Vec::new()).rows::<Urn>().unwrap()));
}

#[test]
fn the_declaration_is_that_of_the_macro() {
    let table = plan::<Urn>("{}").unwrap().tables.remove(0);
    assert_eq!((table.summary.as_str(), table.time_field.as_deref()), ("Balls that fell into an urn", Some("time")));
    let weight = table.field("weight").unwrap();
    assert_eq!(
        (weight.unit.as_deref(), weight.summary.as_str(), weight.nullable),
        (Some("g"), "How heavy it is", false)
    );
    assert!(table.field("label").unwrap().nullable);
}

#[test]
fn states_of_others_are_refused() {
    let shard = Shard { seed: 5, partition: 0, partitions: 1, span: SPAN };
    let mut session = GeneratorSession::<Urn>::open("{}", shard).unwrap();
    session.advance(Window::new(-HOUR, 0)).unwrap();
    let state = session.save().unwrap().unwrap();
    assert_eq!(GeneratorSession::<Urn>::restore("{}", shard, &state).unwrap().generator().total, 10_800);
    let mut broken = state.clone();
    *broken.last_mut().unwrap() ^= 1;
    for state in [broken.as_slice(), &state[..state.len() - 1], b"", b"01234567"] {
        assert_eq!(GeneratorSession::<Urn>::restore("{}", shard, state).err(), Some(Error::UnsupportedState));
    }
}

#[test]
fn mistakes_of_a_generator_name_the_column() {
    let mut rows = Balls::default();
    rows.time.push(1);
    let mut output = Output::new(vec![Balls::table()]);
    assert_eq!(rows.finish(&mut output), Err(Error::failed("column \"ball\" of table \"balls\" has 0 rows of 1")));
    let mut session =
        GeneratorSession::<Urn>::open("{}", Shard { seed: 0, partition: 0, partitions: 1, span: SPAN }).unwrap();
    assert!(session.feed(0, 1, Vec::new()).is_err_and(|error| error.to_string().contains("hosts")));
    let nobody = Shard { seed: 0, partition: 1, partitions: 1, span: SPAN };
    assert!(GeneratorSession::<Urn>::open("{}", nobody).is_err());
    assert!(GeneratorSession::<Urn>::open(r#"{"per_minute": 1}"#, nobody).is_err());
}

/// Wants the balls by weight, and counts those that are lighter than the one before.
struct Sorted {
    rows: u64,
    last: f64,
    wrong: u64,
}

impl Validator for Sorted {
    type Config = Config;

    fn about() -> About {
        Urn::about()
    }

    fn open(_: Config, _: &[Table], _: Window) -> Result<(Self, Vec<Selection>), Error> {
        let columns = ["label", "weight"].map(str::to_owned).to_vec();
        let selection = Selection { table: "balls".to_owned(), columns, order_by: vec!["weight".to_owned()] };
        Ok((Self { rows: 0, last: 0.0, wrong: 0 }, vec![selection]))
    }

    fn observe(&mut self, batch: &Batch) -> Result<(), Error> {
        assert!(matches!(batch.column(0).map(|column| &column.values), Some(Values::Text(_))));
        for row in 0..batch.rows() {
            let weight = batch.f64("weight", row).unwrap();
            self.wrong += u64::from(weight < self.last);
            self.last = weight;
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Report, Error> {
        let finding = Finding {
            rule: "sorted".to_owned(),
            severity: Severity::High,
            table: None,
            column: None,
            message: String::new(),
            failed: self.wrong,
            checked: self.rows,
            samples: Vec::new(),
        };
        Ok(Report { findings: vec![finding], metrics: Vec::new() })
    }
}

#[test]
fn a_validator_gets_its_columns_in_its_order() {
    let batches = run().partitions(2).rows::<Urn>().unwrap();
    let report = judge::<Sorted>("{}", &[Balls::table()], SPAN, &batches).unwrap();
    assert_eq!((report.findings[0].failed, report.findings[0].checked), (0, 21_600));
    assert!(judge::<Sorted>("{}", &[], SPAN, &batches).is_err());
}
