//! How fast the encoders are, beside Arrow's own writers: `cargo test --release -p telemill sink_speed -- --ignored --nocapture`.

use super::{field, layout};
use crate::batch::TableLayout;
use crate::core::schema::DataType;
use crate::sink::bulk::BulkEncoder;
use crate::sink::csv::CsvEncoder;
use crate::sink::ndjson::{NdjsonEncoder, Nulls};
use crate::sink::{Columns, Encoder};
use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

const ROWS: usize = 16_384;
const ROUNDS: usize = 60;

/// A table with the shape of the e-commerce example's transactions: 22 columns, ten of them repeated text.
fn transactions() -> (TableLayout, RecordBatch) {
    let mut fields = vec![field("time", DataType::Timestamp)];
    let mut state = 1_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let times =
        TimestampMicrosecondArray::from_iter_values((0..ROWS as i64).map(|row| 1_794_182_400_000_000 + row * 49_731));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(times.with_timezone("UTC"))];
    for name in ["transaction_id", "session_id", "user_id"] {
        fields.push(field(name, DataType::Int64));
        columns.push(Arc::new((0..ROWS).map(|_| (random() >> 20) as i64).collect::<Int64Array>()));
    }
    fields.push(field("trace_id", DataType::Utf8));
    columns.push(Arc::new((0..ROWS).map(|_| Some(format!("{:016x}", random()))).collect::<StringArray>()));
    let words = [
        "service",
        "operation",
        "http_method",
        "http_path",
        "status",
        "currency",
        "payment_provider",
        "region",
        "host",
        "phase",
    ];
    for name in words {
        fields.push(field(name, DataType::Utf8));
        let values: StringArray = (0..12).map(|value| Some(format!("{name}-{value}"))).collect();
        let keys: Int32Array = (0..ROWS).map(|_| Some((random() % 12) as i32)).collect();
        columns.push(Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values))));
    }
    for name in ["error_type", "error_message", "incident_id"] {
        fields.push(field(name, DataType::Utf8));
        let values = StringArray::from(vec!["payment_timeout", "the gateway did not answer, 30000 ms"]);
        let keys: Int32Array =
            (0..ROWS).map(|_| random().is_multiple_of(50).then_some((random() % 2) as i32)).collect();
        columns.push(Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values))));
    }
    fields.push(field("response_time_ms", DataType::Float64));
    columns.push(Arc::new((0..ROWS).map(|_| (random() % 1_000_000) as f64 / 997.0).collect::<Float64Array>()));
    for (name, range) in [("amount_minor", 50_000), ("http_status", 500), ("retries", 4)] {
        fields.push(field(name, DataType::Int64));
        columns.push(Arc::new((0..ROWS).map(|_| (random() % range) as i64).collect::<Int64Array>()));
    }
    let layout = layout("transactions", fields, &["transaction_id"], Some("time"));
    let fields = layout.schema.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap();
    (layout, batch)
}

/// Nanoseconds that this thread has had a processor, from the kernel's scheduler statistics, which it brings up to
/// date every few milliseconds only: so what is measured must take much longer.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn measure(name: &str, mut write: impl FnMut(&mut Vec<u8>)) -> f64 {
    let mut out = Vec::new();
    write(&mut out);
    let before = cpu_ns();
    for _ in 0..ROUNDS {
        out.clear();
        write(&mut out);
    }
    let nanos = (cpu_ns() - before) / ROUNDS as u64;
    let (seconds, bytes) = (nanos as f64 / 1e9, out.len() as f64);
    let rate = bytes / 1e6 / seconds;
    println!(
        "{name:>22}: {rate:7.0} MB/s {:7.2} M rows/s {:6.1} bytes a row",
        ROWS as f64 / 1e6 / seconds,
        bytes / ROWS as f64
    );
    rate
}

#[test]
#[ignore = "a measurement, not a check"]
fn sink_speed() {
    let (layout, batch) = transactions();
    let columns = || Columns::all(&layout.schema);
    let mut csv = CsvEncoder::new(columns());
    let ours = measure("csv", |out| csv.encode(&batch, out).unwrap());
    let theirs = measure("arrow-csv", |out| arrow::csv::Writer::new(out).write(&batch).unwrap());
    assert!(ours > theirs);
    let mut ndjson = NdjsonEncoder::new(columns(), Nulls::Written);
    let ours = measure("ndjson", |out| ndjson.encode(&batch, out).unwrap());
    let theirs = measure("arrow-json", |out| {
        let mut writer = arrow::json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, arrow::json::writer::LineDelimited>(out);
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    });
    assert!(ours > theirs);
    let mut bulk = BulkEncoder::for_table(&layout, Some("demo")).unwrap();
    measure("opensearch", |out| bulk.encode(&batch, out).unwrap());
}
