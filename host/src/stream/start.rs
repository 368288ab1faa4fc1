//! Streams begin: a spec becomes a record and a task, or goes on with the record that there is.

use super::error::StreamError;
use super::spec::StreamSpec;
use super::streams::Streams;
use crate::core::id::StreamId;
use crate::run::{self, Existing};
use crate::store::{ClockAnchor, StreamRecord, StreamState};
use std::sync::{Arc, PoisonError};

impl Streams {
    /// Starts a stream; it is recorded when this returns.
    ///
    /// # Errors
    /// What is wrong with the spec or a plugin, a dataset that has rows, or too many streams.
    pub fn start(&self, spec: StreamSpec) -> Result<StreamRecord, StreamError> {
        let inner = &self.inner;
        let now = run::now();
        let spec = spec.resolve(now, run::random())?;
        self.refuse_too_many()?;
        self.refuse_existing(&spec)?;
        let host = &inner.host;
        let log = Arc::clone(&inner.log);
        let (planned, _) = run::Plan::open(&host.registry, spec.resolved()?, None, host.read_input, log)?;
        let spec = spec.planned_with(&planned.spec).with_step(planned.simulation.step_us)?;
        let random = run::random().to_le_bytes().first_chunk().map_or(0, |head| u32::from_le_bytes(*head));
        let names = planned.layouts.iter().map(|layout| layout.table.name.clone());
        let truth = [run::incidents_layout(), run::effects_layout()].map(|layout| layout.table.name);
        let start = spec.start();
        let record = StreamRecord {
            id: StreamId::new(now.0.unsigned_abs() / 1_000, random),
            dataset: spec.run.dataset.clone(),
            state: StreamState::Running,
            spec: spec.to_value(),
            plugins: planned.components.clone(),
            versions: run::versions(),
            created_at: now,
            ended_at: None,
            error: None,
            clock: ClockAnchor { wall: now, clock: spec.settings.live_from.unwrap_or(now), speed: spec.settings.speed },
            position: start,
            planned_until: start.day_start(),
            judged_until: start,
            commits: 0,
            tables: names.chain(truth).map(|name| (name, Default::default())).collect(),
        };
        // Planning takes its time; what was free before may not be so any more.
        let starting = inner.starting.lock().unwrap_or_else(PoisonError::into_inner);
        self.refuse_too_many()?;
        self.refuse_existing(&spec)?;
        host.runtime.block_on(async {
            let mut tx = host.store.write().await?;
            tx.insert_stream(&record).await?;
            for sink in &spec.settings.sinks {
                let config = serde_json::to_value(sink).unwrap_or_default();
                tx.insert_stream_sink(&record.id, &sink.name, &config).await?;
            }
            tx.commit().await
        })?;
        drop(starting);
        self.add(&record)?;
        Ok(record)
    }

    fn refuse_too_many(&self) -> Result<(), StreamError> {
        let streams = self.let_go_of_ended()?;
        if streams >= self.inner.settings.max_streams {
            return Err(StreamError::TooMany { streams });
        }
        Ok(())
    }

    /// Tells early what the first commit would refuse.
    fn refuse_existing(&self, spec: &StreamSpec) -> Result<(), StreamError> {
        let host = &self.inner.host;
        if spec.run.existing == Existing::Append {
            return Ok(());
        }
        let streams = host.runtime.block_on(host.store.live_streams())?;
        if let Some(other) = streams.iter().find(|other| other.dataset == spec.run.dataset) {
            let message = "it writes the dataset already; stop it, append to the dataset or name another";
            return Err(StreamError::State { id: other.id.clone(), state: other.state, message });
        }
        host.runtime.block_on(run::refuse_existing(&host.lake, &spec.run.dataset, spec.run.existing))?;
        Ok(())
    }

    /// The stream that goes on where `spec` is run again: the newest on its dataset that was not stopped, or that was
    /// before its sinks had all rows.
    ///
    /// # Errors
    /// That stream makes other rows.
    pub fn find(&self, spec: &StreamSpec) -> Result<Option<StreamRecord>, StreamError> {
        let host = &self.inner.host;
        let found = host.runtime.block_on(host.store.unfinished_stream(&spec.run.dataset))?;
        let Some(record) = found else { return self.find_undelivered(spec) };
        if StreamSpec::of_value(&record.spec)?.fits(spec) {
            return Ok(Some(record));
        }
        let message = "it writes the dataset with another spec; `telemill stream stop` ends it";
        Err(StreamError::State { id: record.id, state: record.state, message })
    }

    /// The newest stream of the dataset, where it has ended and its sinks lack rows; not for who wants to replace its rows,
    /// add to them, or send them elsewhere.
    fn find_undelivered(&self, spec: &StreamSpec) -> Result<Option<StreamRecord>, StreamError> {
        let host = &self.inner.host;
        let newest = host.runtime.block_on(host.store.newest_stream(&spec.run.dataset))?;
        let Some(record) = newest.filter(|_| spec.run.existing == Existing::Refuse) else { return Ok(None) };
        let ended = StreamSpec::of_value(&record.spec)?;
        let same = ended.fits(spec) && ended.settings.sinks == spec.settings.sinks;
        Ok((same && self.undelivered(&record.id)? > 0).then_some(record))
    }
}
