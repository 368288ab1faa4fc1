//! Plugins without WASM: what the host does with them, in a few lines, for unit tests and benchmarks.

mod laws;
mod select;
#[cfg(test)]
mod tests;

pub use laws::trouble;

use crate::session::{GeneratorSession, IncidentModelSession, ValidatorSession};
use crate::time::DAY;
use crate::{
    Batch, Error, Generator, Incident, IncidentModel, Report, Shard, Simulation, Table, Target, Validator, Window,
};

/// A run of a generator over a span, partition after partition.
///
/// ```ignore
/// let batches = Run::new("{}", Window::new(0, HOUR)).seed(7).partitions(2).rows::<MyGenerator>()?;
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    config: String,
    span: Window,
    seed: u64,
    partitions: u32,
    window_micros: i64,
    segment_micros: Option<i64>,
    incidents: Vec<Incident>,
}

impl Run {
    /// A run of one partition with seed 0 and windows of a minute.
    pub fn new(config: impl Into<String>, span: Window) -> Self {
        Self {
            config: config.into(),
            span,
            seed: 0,
            partitions: 1,
            window_micros: crate::time::MINUTE,
            segment_micros: None,
            incidents: Vec::new(),
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions.max(1);
        self
    }

    /// How long a window each `advance` gets.
    #[must_use]
    pub fn windows(mut self, micros: i64) -> Self {
        self.window_micros = micros.max(1);
        self
    }

    /// Saves and restores after each segment of so many windows' time.
    #[must_use]
    pub fn segments(mut self, micros: i64) -> Self {
        self.segment_micros = Some(micros.max(1));
        self
    }

    /// What goes wrong.
    #[must_use]
    pub fn incidents(mut self, incidents: Vec<Incident>) -> Self {
        self.incidents = incidents;
        self
    }

    /// All rows, partition after partition.
    ///
    /// # Errors
    /// Whatever the generator reports.
    pub fn rows<G: Generator>(&self) -> Result<Vec<Batch>, Error> {
        let mut all = Vec::new();
        self.each::<G>(|batch| all.push(batch))?;
        Ok(all)
    }

    /// Hands each batch to `take` as it is made.
    ///
    /// # Errors
    /// Whatever the generator reports.
    pub fn each<G: Generator>(&self, mut take: impl FnMut(Batch)) -> Result<(), Error> {
        for partition in 0..self.partitions {
            let shard = Shard { seed: self.seed, partition, partitions: self.partitions, span: self.span };
            let mut session = GeneratorSession::<G>::open(&self.config, shard)?;
            session.inject(self.incidents.clone())?;
            let segments: Vec<Window> = self.span.steps(self.segment_micros.unwrap_or(i64::MAX)).collect();
            for (i, segment) in segments.iter().enumerate() {
                if i > 0 {
                    session = match session.save()? {
                        Some(state) => GeneratorSession::restore(&self.config, shard, &state)?,
                        None => GeneratorSession::open(&self.config, shard)?,
                    };
                    session.inject(self.incidents.clone())?;
                }
                for window in segment.steps(self.window_micros) {
                    session.advance(window)?.into_iter().for_each(&mut take);
                }
            }
        }
        Ok(())
    }
}

/// What a configuration simulates.
///
/// # Errors
/// Whatever the generator reports.
pub fn plan<G: Generator>(config: &str) -> Result<Simulation, Error> {
    GeneratorSession::<G>::plan(config)
}

/// The incidents of a span, day by day as the host asks for them; those that start outside the span are dropped.
///
/// # Errors
/// Whatever the model reports.
pub fn incidents<M: IncidentModel>(
    config: &str,
    seed: u64,
    span: Window,
    targets: Vec<Target>,
) -> Result<Vec<Incident>, Error> {
    let session = IncidentModelSession::<M>::open(config, seed, span, targets)?;
    let days = Window::new(span.start.div_euclid(DAY) * DAY, span.end);
    let mut all = Vec::new();
    for day in days.steps(DAY) {
        all.extend(session.plan(Window::new(day.start, day.start + DAY))?);
    }
    all.retain(|incident| span.contains(incident.window.start));
    Ok(all)
}

/// One incident by hand.
///
/// # Errors
/// Whatever the model reports.
pub fn trigger<M: IncidentModel>(
    config: &str,
    seed: u64,
    span: Window,
    targets: Vec<Target>,
    kind: &str,
    target: &str,
    window: Window,
) -> Result<Vec<Incident>, Error> {
    IncidentModelSession::<M>::open(config, seed, span, targets)?.trigger(kind, target, window)
}

/// The report of a validator on batches of tables, whose `table` counts `tables`.
///
/// # Errors
/// Whatever the validator reports.
pub fn judge<V: Validator>(config: &str, tables: &[Table], window: Window, batches: &[Batch]) -> Result<Report, Error> {
    let mut session = ValidatorSession::<V>::open(config, tables, window)?;
    for (i, selection) in session.selections().to_vec().iter().enumerate() {
        for (rows, columns) in select::rows(selection, tables, batches)? {
            session.observe(i as u32, rows, columns)?;
        }
    }
    session.finish()
}
