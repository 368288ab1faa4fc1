//! Proof that a stream's rows are what its spec and components make: everything is made again, versions of plugins that
//! took over and incidents by hand included, and the fingerprints compared.

use super::error::StreamError;
use super::maker::{Maker, Standing};
use super::spec::StreamSpec;
use crate::batch::{TableFingerprint, dataset_fingerprint};
use crate::core::digest::Digest;
use crate::core::id::StreamId;
use crate::core::time::Timestamp;
use crate::plugin::LogSink;
use crate::run::{Cancel, Host, TableVerdict};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a verification found.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StreamVerification {
    /// The stream.
    pub stream: StreamId,
    /// Rows before this simulated time were compared.
    pub position: Timestamp,
    /// Whether everything is as recorded.
    pub equal: bool,
    /// The fingerprint of the record.
    pub recorded: Digest,
    /// The fingerprint that was found.
    pub found: Digest,
    /// Table by table.
    pub tables: Vec<TableVerdict>,
}

/// Makes the rows of stream `id` again, up to where it has come, and compares.
///
/// # Errors
/// There is no such stream, its components are gone, or making it fails.
pub fn verify(host: &Host, id: &StreamId, log: LogSink, cancel: &Cancel) -> Result<StreamVerification, StreamError> {
    let record = host.runtime.block_on(host.store.stream(id))?;
    let spec = StreamSpec::of_value(&record.spec)?;
    let placed: Vec<_> = spec.run.incident.iter().filter(|incident| incident.known_from.is_some()).cloned().collect();
    let mut stops: BTreeSet<Timestamp> = placed.iter().filter_map(|incident| incident.known_from).collect();
    let swaps = host.runtime.block_on(host.store.stream_swaps(id))?;
    stops.extend(swaps.iter().map(|swap| swap.at));
    stops.insert(record.position);
    let mut found: BTreeMap<String, TableFingerprint> =
        record.tables.keys().map(|table| (table.clone(), TableFingerprint::default())).collect();
    let standing = Standing::at_start(&spec);
    let components = swaps.first().map_or(&record.plugins, |swap| &swap.before);
    let mut maker = Maker::open(host, spec, components, standing, log)?;
    for stop in stops.into_iter().filter(|stop| *stop <= record.position) {
        if stop > maker.position {
            let made = maker.make(stop, cancel, &mut |_, _| Ok(()))?;
            made.sums.iter().for_each(|(table, sum)| found.entry(table.clone()).or_default().merge(sum));
        }
        for incident in placed.iter().filter(|incident| incident.known_from == Some(stop)) {
            maker.trigger(incident)?;
        }
        for swap in swaps.iter().filter(|swap| swap.at == stop) {
            maker.swap(&swap.after)?;
        }
    }
    let verdict = |(table, recorded): (&String, &TableFingerprint)| {
        let made = found.get(table).copied().unwrap_or_default();
        let (recorded_rows, found_rows) = (recorded.rows, made.rows);
        TableVerdict { table: table.clone(), recorded_rows, found_rows, equal: made == *recorded }
    };
    let tables: Vec<_> = record.tables.iter().map(verdict).collect();
    let (recorded, found) = (dataset_fingerprint(&record.tables), dataset_fingerprint(&found));
    Ok(StreamVerification {
        stream: record.id,
        position: record.position,
        equal: recorded == found,
        recorded,
        found,
        tables,
    })
}
