//! Loading documents into OpenSearch: our client and PyPI's opensearch-py against one receiver that keeps the
//! documented rules, and the files of the document profile.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod client;
mod command;
mod files;
mod python;
pub(crate) mod receiver;
mod streams;

use receiver::Receiver;
use telemill::batch::{GuestBatch, GuestColumn, GuestText, GuestValues, TableLayout};
use telemill::core::schema::{DataType, Field, Table, TableKind};
use telemill::core::time::{Timestamp, Window};
use telemill::sink::opensearch::{Backoff, OpenSearch, Settings};

/// Rows as the tests need them: id, phase and a duration.
type Row = (i64, &'static str, f64);

fn field(name: &str, data_type: DataType) -> Field {
    Field { name: name.into(), data_type, nullable: true, unit: None, summary: String::new(), attributes: vec![] }
}

fn table(name: &str, phase: bool) -> TableLayout {
    let time = Field { nullable: false, ..field("time", DataType::Timestamp) };
    let text = field(if phase { "phase" } else { "host" }, DataType::Utf8);
    let fields = vec![
        time,
        field("event_id", DataType::Int64),
        text,
        field("duration_ms", DataType::Float64),
        field("incident_id", DataType::Utf8),
    ];
    TableLayout::new(Table {
        name: name.into(),
        summary: String::new(),
        kind: TableKind::Events,
        fields,
        primary_key: vec!["event_id".into()],
        time_field: Some("time".into()),
        attributes: vec![],
    })
}

fn text(values: &[&str]) -> GuestText {
    let mut text = GuestText { offsets: 0_u32.to_le_bytes().to_vec(), bytes: vec![] };
    for value in values {
        text.bytes.extend(value.as_bytes());
        text.offsets.extend((text.bytes.len() as u32).to_le_bytes());
    }
    text
}

/// What a generator would have emitted: times a second apart, every row of one incident.
fn guest(table: u32, rows: &[Row]) -> GuestBatch {
    let packed = |bytes: Vec<u8>| GuestColumn { values: GuestValues::Packed(bytes), validity: None };
    let mut words: Vec<&str> = rows.iter().map(|row| row.1).collect();
    words.sort_unstable();
    words.dedup();
    let keys = rows.iter().flat_map(|row| (words.iter().position(|word| *word == row.1).unwrap() as u32).to_le_bytes());
    let dictionary = GuestColumn { values: GuestValues::Dictionary(keys.collect(), text(&words)), validity: None };
    let incidents = GuestColumn { values: GuestValues::Text(text(&vec!["inc-1"; rows.len()])), validity: None };
    let columns = vec![
        packed((0..rows.len() as i64).flat_map(|row| (row * 1_000_000).to_le_bytes()).collect()),
        packed(rows.iter().flat_map(|row| row.0.to_le_bytes()).collect()),
        dictionary,
        packed(rows.iter().flat_map(|row| row.2.to_le_bytes()).collect()),
        incidents,
    ];
    GuestBatch { table, rows: rows.len() as u32, columns }
}

const WINDOW: Window = Window { start: Timestamp(0), end: Timestamp::MAX };

/// Numbered rows, most of them normal.
fn rows(count: i64) -> Vec<Row> {
    let phase = |id: i64| match id % 10 {
        8 => "incident",
        9 => "recovery",
        _ => "normal",
    };
    (0..count).map(|id| (id, phase(id), id as f64 / 4.0)).collect()
}

fn settings(receiver: &Receiver) -> Settings {
    let backoff = Backoff {
        attempts: 5,
        first: std::time::Duration::from_millis(2),
        longest: std::time::Duration::from_millis(1_500),
    };
    Settings { chunk_documents: 10, backoff, ..Settings::new(receiver.address.to_string()) }
}

fn connect(receiver: &Receiver) -> OpenSearch {
    OpenSearch::connect(settings(receiver)).unwrap()
}
