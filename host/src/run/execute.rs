//! A run from its spec to its one commit, and a run that goes on after it was stopped or killed.

use super::error::RunError;
use super::inputs::ReadInput;
use super::judge::{Judged, Judgement, judge};
use super::kept::kept;
use super::output::{FilesByTable, LakeOutput};
use super::plan::Plan;
use super::shard::{Observer, Progress, Watch};
use super::spec::{Existing, ResolvedSpec, RunSpec};
use super::truth::{effect_rows, effects_layout, incident_rows, incidents_layout};
use super::workers;
use crate::batch::{TableFingerprint, TableLayout, dataset_fingerprint};
use crate::core::cancel::Cancel;
use crate::core::id::RunId;
use crate::core::problem::chain;
use crate::core::schema::TableKind;
use crate::core::time::Timestamp;
use crate::lake::{Commit, DataFile, Lake, LakeError, Mode, SnapshotId, TableFiles, TableWriter, WriterSettings};
use crate::plugin::{LogSink, Registry};
use crate::query::{self, QueryError};
use crate::store::{Outcome as Recorded, RunRecord, RunState, Segment, Store, TableTotal};
use arrow::array::RecordBatch;
use rand::TryRng as _;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;

/// What runs need of the layers below. Clones share it.
#[derive(Clone)]
pub struct Host {
    /// Finds components.
    pub registry: Registry,
    /// Keeps records.
    pub store: Store,
    /// Keeps rows.
    pub lake: Lake,
    /// Reads files of `[inputs]`.
    pub read_input: ReadInput,
    /// Drives what is async.
    pub runtime: Handle,
    /// How files are written.
    pub writer: WriterSettings,
    /// How much validators' scans may use.
    pub query: query::Limits,
    /// Where sorts spill.
    pub spill_dir: PathBuf,
    /// Rows that are acknowledged and not in the lake yet, where something takes such in.
    pub unmoved: Option<Arc<dyn query::Unmoved>>,
}

impl Host {
    /// A query engine over the newest snapshot, or over `at`.
    ///
    /// # Errors
    /// There is no such snapshot, or the catalog can't be read.
    pub fn query_engine(&self, at: Option<SnapshotId>) -> Result<query::Engine, QueryError> {
        self.runtime.block_on(self.open_engine(at))
    }

    /// The same as [`Host::query_engine`], for async tasks.
    ///
    /// # Errors
    /// As there.
    pub async fn open_engine(&self, at: Option<SnapshotId>) -> Result<query::Engine, QueryError> {
        let (limits, spill_dir) = (self.query.clone(), self.spill_dir.clone());
        query::Engine::open_beside(&self.lake, self.unmoved.as_deref(), at, limits, spill_dir).await
    }
}

/// Randomness for what no row depends on: ids, and seeds that nobody chose.
///
/// Falls back to the clock where the system has none to give, since ids stay unique by their time then.
pub fn random() -> u64 {
    rand::rngs::SysRng.try_next_u64().unwrap_or_else(|_| now().0.unsigned_abs())
}

/// How a run is to be made; the rows do not depend on it.
#[derive(Clone)]
pub struct Request {
    /// Threads; one for each core where none is given.
    pub workers: Option<NonZeroUsize>,
    /// Where plugins' logs go.
    pub log: LogSink,
}

/// A finished run.
#[derive(Debug)]
pub struct Outcome {
    /// Its record.
    pub record: RunRecord,
    /// What the validators said, in the spec's order.
    pub judgements: Vec<Judgement>,
}

/// Starts a run of `spec`; `begun` learns its record before the first row is made.
///
/// # Errors
/// Whatever keeps the rows from becoming visible; the run is recorded as failed then, and finished segments stay.
pub fn start(
    host: &Host,
    spec: RunSpec,
    request: &Request,
    begun: &dyn Fn(&RunRecord, &Plan),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Outcome, RunError> {
    let created = now();
    let spec = spec.resolve(created, random())?;
    let plan = Plan::make(&host.registry, spec, None, host.read_input, request.log.clone())?;
    let (dataset, existing) = (&plan.spec.spec().dataset, plan.spec.spec().existing);
    host.runtime.block_on(refuse_existing(&host.lake, dataset, existing))?;
    let id = RunId::new(
        created.0.unsigned_abs() / 1_000,
        random().to_le_bytes().first_chunk().map_or(0, |head| u32::from_le_bytes(*head)),
    );
    let record = RunRecord {
        plugins: plan.components.clone(),
        versions: versions(),
        ..RunRecord::planned(id.clone(), &plan.spec.spec().dataset, to_json(&id, &plan.spec)?, created)
    };
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.insert_run(&record).await?;
        tx.commit().await
    })?;
    begun(&record, &plan);
    go_on(host, &plan, &id, request, observer, cancel)
}

/// Goes on with run `id`, or with the newest one that is not finished, or that not all of its validators have judged:
/// of that one nothing is made again.
///
/// # Errors
/// There is no such run, it is finished and judged, and what [`start`] can fail with.
pub fn resume(
    host: &Host,
    id: Option<&RunId>,
    request: &Request,
    begun: &dyn Fn(&RunRecord, &Plan),
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Outcome, RunError> {
    let record = host.runtime.block_on(async {
        match id {
            Some(id) => Ok(host.store.run(id).await?),
            None => host.store.run_to_resume().await?.ok_or(RunError::NoRun("resume")),
        }
    })?;
    let has_rows = record.state == RunState::Finished;
    if has_rows && host.runtime.block_on(host.store.run_reports(&record.id))?.len() >= record.validators() {
        let (id, state) = (record.id, record.state);
        return Err(RunError::State {
            id,
            state,
            message: "there is nothing to resume; `telemill run show` tells more",
        });
    }
    let plan =
        Plan::make(&host.registry, stored_spec(&record)?, Some(&record.plugins), host.read_input, request.log.clone())?;
    begun(&record, &plan);
    if has_rows {
        observer.progress(plan.spec.window().length_us() * u64::from(plan.spec.spec().partitions), 0);
        return judge_run(host, &plan, &record.id, cancel);
    }
    go_on(host, &plan, &record.id, request, observer, cancel)
}

/// The spec that a run was made from.
pub(super) fn stored_spec(record: &RunRecord) -> Result<ResolvedSpec, RunError> {
    serde_json::from_value(record.spec.clone())
        .map_err(|error| RunError::Record { id: record.id.clone(), message: error.to_string() })
}

fn go_on(
    host: &Host,
    plan: &Plan,
    id: &RunId,
    request: &Request,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Outcome, RunError> {
    host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        tx.start_run(id, now()).await?;
        tx.commit().await
    })?;
    let made = make_rows(host, plan, id, request, observer, cancel).and_then(|()| commit(host, plan, id));
    if let Err(error) = made {
        record_failure(host, id, &error);
        return Err(error);
    }
    judge_run(host, plan, id, cancel)
}

/// Lets those validators judge the rows of a finished run of which no report is recorded.
fn judge_run(host: &Host, plan: &Plan, id: &RunId, cancel: &Cancel) -> Result<Outcome, RunError> {
    let record = host.runtime.block_on(host.store.run(id))?;
    let reports = host.runtime.block_on(host.store.run_reports(id))?;
    let mut judgements: Vec<Judgement> = reports.into_iter().map(|report| report.content.into()).collect();
    // They judge in the spec's order, and none after one that failed.
    let missing = plan.validators.get(judgements.len()..).unwrap_or_default();
    let (window, at) = (plan.spec.window(), record.snapshot_id.map(SnapshotId));
    let judged = Judged { dataset: &record.dataset, window, at, run: Some(id) };
    judgements.extend(judge(host, missing, judged, &plan.log, cancel)?);
    Ok(Outcome { record, judgements })
}

/// Runs all shards from where their last finished segment ends.
fn make_rows(
    host: &Host,
    plan: &Plan,
    id: &RunId,
    request: &Request,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(), RunError> {
    let mut progress = BTreeMap::<u32, Progress>::new();
    host.runtime.block_on(host.store.each_segment(id, |segment| {
        let before = progress.entry(segment.partition).or_default();
        *before = Progress { segments: before.segments + 1, state: segment.state };
    }))?;
    let before = |partition| progress.get(&partition).cloned().unwrap_or_default();
    workers::make_shards(plan, request, &before, &LakeOutput::new(host, plan, id), &Watch::new(observer, cancel))
}

/// Makes everything visible together: files, ground truth, fingerprint and record.
fn commit(host: &Host, plan: &Plan, id: &RunId) -> Result<(), RunError> {
    let unreadable = |error: serde_json::Error| RunError::Record { id: id.clone(), message: error.to_string() };
    let mut files = FilesByTable::new();
    let mut fingerprints = BTreeMap::<String, TableFingerprint>::new();
    let mut gathered = Ok(());
    let mut gather = |segment: Segment| {
        let more: FilesByTable = serde_json::from_value(segment.files)?;
        more.into_iter().for_each(|(table, mut more)| files.entry(table).or_default().append(&mut more));
        let parts: BTreeMap<String, TableFingerprint> = serde_json::from_value(segment.fingerprints)?;
        parts.into_iter().for_each(|(table, part)| fingerprints.entry(table).or_default().merge(&part));
        Ok(())
    };
    host.runtime.block_on(host.store.each_segment(id, |segment| {
        if gathered.is_ok() {
            gathered = gather(segment);
        }
    }))?;
    gathered.map_err(unreadable)?;
    let mut tables: Vec<TableFiles> = Vec::new();
    for layout in &plan.layouts {
        let table = layout.table.clone();
        let replace = table.kind == TableKind::Snapshot;
        tables.push(TableFiles { files: files.remove(&table.name).unwrap_or_default(), table, replace });
    }
    for (layout, rows) in truth_rows(plan)? {
        let mut fingerprint = TableFingerprint::default();
        fingerprint.add(&rows)?;
        fingerprints.insert(layout.table.name.clone(), fingerprint);
        let files = write_rows(host, &layout, &plan.spec.spec().dataset, id, &rows)?;
        tables.push(TableFiles { table: layout.table, files, replace: false });
    }
    let totals = fingerprints
        .iter()
        .map(|(table, sum)| TableTotal { table: table.clone(), rows: sum.rows, fingerprint: sum.to_string() })
        .collect();
    let at = now();
    let mut commit = Commit {
        dataset: plan.spec.spec().dataset.clone(),
        mode: mode(plan.spec.spec().existing),
        tables,
        at,
        author: concat!("telemill ", env!("CARGO_PKG_VERSION")).to_owned(),
        message: format!("run of {} over {}", plan.generator.plugin.id(), plan.spec.window()),
        extra: Some(id.to_string()),
    };
    // From here on nobody else commits, so that no row comes between what is kept and what replaces it.
    let mut tx = host.runtime.block_on(host.store.write())?;
    if commit.mode == Mode::Append {
        for table in commit.tables.iter_mut().filter(|table| table.replace) {
            table.files.extend(kept(host, &commit.dataset, id, &table.table, &table.files)?);
        }
    }
    host.runtime.block_on(async {
        let snapshot = host.lake.commit(&mut tx, &commit).await?;
        let fingerprint = dataset_fingerprint(&fingerprints);
        let outcome = Recorded { fingerprint, tables: totals, snapshot_id: snapshot.0 };
        tx.finish_run(id, at, &outcome).await?;
        tx.forget_segments(id).await?;
        tx.commit().await?;
        Ok(())
    })
}

/// The ground truth as rows, by table.
pub(super) fn truth_rows(plan: &Plan) -> Result<[(TableLayout, RecordBatch); 2], RunError> {
    let incidents = (incidents_layout(), incident_rows(&plan.incidents)?);
    Ok([incidents, (effects_layout(), effect_rows(&plan.incidents)?)])
}

fn write_rows(
    host: &Host,
    layout: &TableLayout,
    dataset: &str,
    id: &RunId,
    rows: &RecordBatch,
) -> Result<Vec<DataFile>, RunError> {
    let (files, stem) = (host.lake.files(), id.to_string());
    let mut writer = TableWriter::new(files, &host.runtime, layout, dataset, &stem, host.writer.clone());
    writer.write(rows)?;
    Ok(writer.finish()?)
}

fn record_failure(host: &Host, id: &RunId, error: &RunError) {
    let recorded = host.runtime.block_on(async {
        let mut tx = host.store.write().await?;
        match error {
            RunError::Cancelled => tx.cancel_run(id, now()).await?,
            other => tx.fail_run(id, now(), &chain(other)).await?,
        }
        tx.commit().await
    });
    if let Err(error) = recorded {
        tracing::warn!(run.id = %id, %error, "the run's end could not be recorded");
    }
}

/// Tells early, before hours of work, what the commit would refuse.
///
/// # Errors
/// The dataset has rows, and they are not to be added to or replaced.
pub async fn refuse_existing(lake: &Lake, dataset: &str, existing: Existing) -> Result<(), RunError> {
    if existing != Existing::Refuse {
        return Ok(());
    }
    match lake.datasets(None).await?.into_iter().find(|summary| summary.name == dataset && summary.rows > 0) {
        Some(summary) => Err(LakeError::DatasetExists { dataset: dataset.to_owned(), rows: summary.rows }.into()),
        None => Ok(()),
    }
}

fn mode(existing: Existing) -> Mode {
    match existing {
        Existing::Refuse => Mode::Create,
        Existing::Append => Mode::Append,
        Existing::Replace => Mode::Replace,
    }
}

/// What else than the components shapes rows.
pub fn versions() -> BTreeMap<String, String> {
    let own = env!("CARGO_PKG_VERSION").to_owned();
    [("telemill".to_owned(), own), ("contract".to_owned(), crate::plugin::CONTRACT_VERSION.to_owned())].into()
}

fn to_json(id: &RunId, spec: &ResolvedSpec) -> Result<serde_json::Value, RunError> {
    serde_json::to_value(spec).map_err(|error| RunError::Record { id: id.clone(), message: error.to_string() })
}

/// The time of day, for records: no row depends on it.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
