//! Proof that a run's rows are what its spec and components make: the run is made again, or the stored rows are
//! hashed, and the fingerprints compared.

use super::error::RunError;
use super::execute::{Host, Request, stored_spec, truth_rows};
use super::output::FingerprintOutput;
use super::plan::Plan;
use super::shard::{Observer, Progress, Watch};
use super::workers;
use crate::batch::{TableFingerprint, dataset_fingerprint};
use crate::core::cancel::Cancel;
use crate::core::digest::Digest;
use crate::core::id::RunId;
use crate::lake::SnapshotId;
use crate::query::{Scan, TextForm};
use crate::store::{RunRecord, RunState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One table, as recorded and as found.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TableVerdict {
    /// The table.
    pub table: String,
    /// Rows that the record says.
    pub recorded_rows: u64,
    /// Rows that were found.
    pub found_rows: u64,
    /// Whether rows and fingerprint are those of the record.
    pub equal: bool,
}

/// What a verification found.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verification {
    /// The run.
    pub run: RunId,
    /// Whether everything is as recorded.
    pub equal: bool,
    /// The fingerprint of the record.
    pub recorded: Digest,
    /// The fingerprint that was found.
    pub found: Digest,
    /// Table by table.
    pub tables: Vec<TableVerdict>,
}

/// Makes run `id` again with the components that it was made with, and compares.
///
/// # Errors
/// The run is not finished, its components are gone, or making it fails.
pub fn verify(
    host: &Host,
    id: &RunId,
    request: &Request,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Verification, RunError> {
    let record = finished(host, id)?;
    let plan =
        Plan::make(&host.registry, stored_spec(&record)?, Some(&record.plugins), host.read_input, request.log.clone())?;
    let output = FingerprintOutput::new(plan.layouts.len());
    let watch = Watch::new(observer, cancel);
    workers::make_shards(&plan, request, &|_| Progress::default(), &output, &watch)?;
    let names = plan.layouts.iter().map(|layout| layout.table.name.clone());
    let mut found: BTreeMap<_, _> = names.zip(output.totals()).collect();
    for (layout, rows) in truth_rows(&plan)? {
        let mut fingerprint = TableFingerprint::default();
        fingerprint.add(&rows)?;
        found.insert(layout.table.name, fingerprint);
    }
    compare(&record, &found)
}

/// Hashes the rows of run `id` that the lake holds, and compares.
///
/// # Errors
/// The run is not finished, its snapshot has expired, or a file can't be read.
pub fn verify_lake(
    host: &Host,
    id: &RunId,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Verification, RunError> {
    let record = finished(host, id)?;
    let snapshot = SnapshotId(record.snapshot_id.unwrap_or_default());
    let engine = host.query_engine(Some(snapshot))?;
    let mut found = BTreeMap::new();
    let mut rows = 0;
    for total in &record.tables {
        // Rows that an appended run found there are not its own, nor are those of a snapshot table that it kept.
        let files_of = Some(record.id.to_string());
        let scan = Scan { files_of, text: TextForm::AsStored, ..Scan::new(&record.dataset, &total.table) };
        let mut fingerprint = TableFingerprint::default();
        for batch in host.runtime.block_on(engine.scan(&scan))?.blocking(host.runtime.clone()) {
            if cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let batch = batch?;
            fingerprint.add(&batch)?;
            rows += batch.num_rows() as u64;
            observer.progress(rows, rows);
        }
        found.insert(total.table.clone(), fingerprint);
    }
    compare(&record, &found)
}

fn finished(host: &Host, id: &RunId) -> Result<RunRecord, RunError> {
    let record = host.runtime.block_on(host.store.run(id))?;
    match record.state {
        RunState::Finished => Ok(record),
        state => Err(RunError::State {
            id: id.clone(),
            state,
            message: "only a finished run can be verified; `telemill run resume` goes on with one that is not",
        }),
    }
}

fn compare(record: &RunRecord, found: &BTreeMap<String, TableFingerprint>) -> Result<Verification, RunError> {
    let recorded = record.fingerprint.ok_or_else(|| RunError::Record {
        id: record.id.clone(),
        message: "it is finished and has no fingerprint".to_owned(),
    })?;
    let verdict = |total: &crate::store::TableTotal| {
        let table = found.get(&total.table).copied().unwrap_or_default();
        let equal = table.rows == total.rows && table.to_string() == total.fingerprint;
        TableVerdict { table: total.table.clone(), recorded_rows: total.rows, found_rows: table.rows, equal }
    };
    let tables: Vec<_> = record.tables.iter().map(verdict).collect();
    let fingerprint = dataset_fingerprint(found);
    let equal = fingerprint == recorded && tables.iter().all(|table| table.equal);
    Ok(Verification { run: record.id.clone(), equal, recorded, found: fingerprint, tables })
}
