//! An open instance in a process of its own, which is asked for rows window by window. A process that dies is replaced:
//! the next one begins with what was saved last and makes again what was made since, which is not handed out twice.

use super::deaths::Deaths;
use super::job::{self, Answer, Ask, Opening};
use super::lines::Lines;
use super::{FILES, OPEN_JOB, broken, check_state, patience};
use crate::batch::{GuestBatch, TableLayout};
use crate::core::incident::Incident;
use crate::core::time::Window;
use crate::plugin::{LogSink, Shard};
use crate::run::error::RunError;
use crate::run::plan::{Configured, Plan, Processes};
use crate::worker::{Bounds, End, Frame, Process, Said};
use arrow::array::RecordBatch;
use std::sync::Arc;

/// What an answer is besides the values of its rows, at most, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;
/// Bytes of the pipe for each that the limit on output counts, at most: numbers of lists take ten for eight.
const ANSWER_COPIES: u64 = 2;

/// The instance, whichever process it is in.
pub(in crate::run) struct Remote {
    processes: Processes,
    generator: Configured,
    inputs: Arc<[GuestBatch]>,
    log: LogSink,
    shard: Shard,
    process: Option<Process>,
    /// What this process may still log.
    lines: Lines,
    /// With what another process would begin, and what it would have to make again.
    state: Option<Vec<u8>>,
    incidents: Vec<Incident>,
    made: Vec<Window>,
    /// Memory that the process may use, in bytes.
    data_bytes: u64,
    /// Processes that ended since the state was saved.
    deaths: Deaths,
}

/// Why an exchange came to nothing.
enum Broken {
    /// The process has ended; another may do better.
    Died(End),
    /// It would be so in any process.
    Failed(RunError),
}

impl<E: Into<RunError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Remote {
    /// Opens an instance of `plan` that knows `incidents`.
    ///
    /// # Errors
    /// The plugin failed, or process after process did.
    pub(in crate::run) fn open(
        plan: &Plan,
        processes: &Processes,
        shard: Shard,
        state: Option<Vec<u8>>,
        incidents: Vec<Incident>,
    ) -> Result<Self, RunError> {
        let mut remote = Self {
            processes: processes.clone(),
            generator: plan.generator.clone(),
            inputs: Arc::clone(&plan.inputs),
            log: LogSink::clone(&plan.log),
            shard,
            process: None,
            lines: Lines::of(plan.generator.plugin.limits()),
            state,
            incidents,
            made: Vec::new(),
            data_bytes: 0,
            deaths: Deaths::default(),
        };
        remote.persist(Self::stand_ready)?;
        Ok(remote)
    }

    /// Makes incidents known, before the first window that they touch.
    pub(in crate::run) fn inject(&mut self, incidents: &[Incident]) -> Result<(), RunError> {
        let given = job::pack(incidents, &[]).map_err(broken)?;
        self.ask(&Ask::Inject, &[given])?;
        self.incidents.extend_from_slice(incidents);
        Ok(())
    }

    /// The rows of the next window, checked: the table's index with each batch.
    pub(in crate::run) fn rows(
        &mut self,
        layouts: &[TableLayout],
        window: Window,
    ) -> Result<Vec<(usize, RecordBatch)>, RunError> {
        let packed = self.ask(&Ask::Advance(window), &[])?.unwrap_or_default();
        let (_, batches) = job::unpack(&packed).map_err(broken)?;
        self.made.push(window);
        Ok(self.generator.plugin.rows(batches, layouts, window)?)
    }

    /// What an instance needs to go on from here; none where there is no state.
    pub(in crate::run) fn save(&mut self) -> Result<Option<Vec<u8>>, RunError> {
        let state = self.ask(&Ask::Save, &[])?;
        check_state(state.as_deref(), self.generator.plugin.limits())?;
        self.state = state;
        self.made.clear();
        self.deaths.forget();
        Ok(self.state.clone())
    }

    fn ask(&mut self, ask: &Ask, blobs: &[Vec<u8>]) -> Result<Option<Vec<u8>>, RunError> {
        self.persist(|remote| {
            remote.stand_ready()?;
            remote.exchange(ask, blobs)
        })
    }

    /// Does `work`, with another process whenever one dies over it.
    fn persist<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, Broken>) -> Result<T, RunError> {
        loop {
            match work(self) {
                Ok(done) => return Ok(done),
                Err(Broken::Failed(error)) => return Err(error),
                Err(Broken::Died(end)) => {
                    self.process = None;
                    self.deaths.count(&end, self.data_bytes)?;
                    tracing::warn!(run.partition = self.shard.partition, "{end}; what it was at is made again");
                }
            }
        }
    }

    /// Sees to it that there is a process whose instance is where this one is.
    fn stand_ready(&mut self) -> Result<(), Broken> {
        if self.process.is_some() {
            return Ok(());
        }
        let process = self.start()?;
        tracing::debug!(run.partition = self.shard.partition, worker.id = process.id(), "a worker process began");
        self.process = Some(process);
        self.lines = Lines::of(self.generator.plugin.limits());
        self.answer()?;
        for window in self.made.clone() {
            self.exchange(&Ask::Advance(window), &[])?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Process, RunError> {
        let plugin = &self.generator.plugin;
        let component = self.processes.registry.bytes_of(plugin.digest())?;
        let given = job::pack(&self.incidents, &self.inputs).map_err(broken)?;
        let limits = plugin.limits();
        self.data_bytes = limits.process_bytes(component.len(), given.len());
        let bounds = Bounds { data_bytes: self.data_bytes, files: FILES, file_bytes: u64::MAX };
        let opening = Opening::of(&self.generator, self.shard, self.state.is_some()).map_err(broken)?;
        let state = self.state.clone().unwrap_or_default();
        let frame = Frame::new(&opening, vec![component, given, state]).map_err(broken)?;
        let most_bytes = limits.output_bytes * ANSWER_COPIES + ANSWER_BYTES;
        Process::start(&self.processes.program, bounds, OPEN_JOB, frame, most_bytes).map_err(broken)
    }

    fn exchange(&mut self, ask: &Ask, blobs: &[Vec<u8>]) -> Result<Option<Vec<u8>>, Broken> {
        let frame = Frame::new(ask, blobs.to_vec()).map_err(broken)?;
        if let Some(process) = &self.process {
            process.tell(frame);
        }
        self.answer()
    }

    /// Waits for an answer, and passes on what is logged meanwhile.
    fn answer(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let patience = patience(self.generator.plugin.limits());
        let Some(process) = &mut self.process else { return Ok(None) };
        loop {
            let mut frame = match process.listen(patience).map_err(broken)? {
                Said::Frame(frame) => frame,
                Said::Nothing => return Err(Broken::Died(process.kill().map_err(broken)?)),
                Said::Ended(end) => return Err(Broken::Died(end)),
            };
            match frame.head().map_err(broken)? {
                Answer::Line(line) => self.lines.pass_on(&line, &self.log)?,
                Answer::Failed(failure) => return Err(Broken::Failed(failure.into())),
                Answer::Done | Answer::Rows | Answer::Saved => return Ok(frame.blobs.pop()),
            }
        }
    }
}
