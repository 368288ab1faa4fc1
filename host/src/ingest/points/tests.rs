//! Lines into a real log.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::ingest::log::tests::{Fixture, at_rest};

fn append_lines(log: &Log, lines: &Lines) -> Result<LinesTaken, IngestError> {
    super::append_lines(log, lines)?.wait()
}

fn lines(text: &str) -> Lines {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Lines { dataset: "metrics".into(), body, precision: Precision::default(), key: None }
}

#[test]
fn measurements_become_tables_tags_and_fields_columns() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    let text = "# a comment\ncpu,host=a,region=eu usage=1.5,count=3i 1794234300000000999\n\n\
                cpu,host=b usage=2i,ok=t 1794234301000000000\nDisk\\ IO,host=a free=7u,name=\"x, \\\"y\\\"\nz\" 1794234302000000000\n";
    let taken = append_lines(&log, &lines(text)).unwrap();
    assert_eq!(taken, LinesTaken { points: 3, ..LinesTaken::default() });
    let cpu = "SELECT time, host, region, usage, count, ok FROM metrics.cpu ORDER BY time";
    let expected = ["2026-11-09T14:25:00Z a eu 1.5 3", "2026-11-09T14:25:01Z b 2.0 true"];
    assert_eq!(data.text(&log, cpu), expected);
    assert_eq!(
        data.numbers(Some(&log), "SELECT free FROM metrics.disk_io WHERE name = 'x, \"y\"\nz' AND host = 'a'"),
        [7]
    );
    // A new tag, a new field, and after a move.
    log.move_now().unwrap();
    append_lines(&log, &lines("cpu,host=c,rack=7 idle=9 1794234303000000000")).unwrap();
    assert_eq!(data.text(&log, "SELECT host, rack, idle FROM metrics.cpu WHERE rack IS NOT NULL"), ["c 7 9.0"]);
    assert_eq!(data.numbers(Some(&log), "SELECT count(*) FROM metrics.cpu"), [3]);
    log.close().unwrap();
    assert_eq!(data.numbers(None, "SELECT count(*) FROM metrics.cpu WHERE host IN ('a', 'b', 'c')"), [3]);
}

#[test]
fn good_lines_are_taken_beside_bad_ones_which_are_told() {
    let data = Fixture::new();
    let log = data.open(at_rest()).unwrap();
    append_lines(&log, &lines("m,t=a f=1i,s=\"x\" 1000")).unwrap();
    let text = "m f=2i 2000\nm f=1.5 3000\nm s=4i 4000\nnonsense\nm,time=1 f=1i 1000\nm g=1,G=2 5\nincidents f=1i 6\nm f=18446744073709551615u 7\nm f=8i 8000";
    let taken = append_lines(&log, &lines(text)).unwrap();
    assert_eq!((taken.points, taken.bad), (2, 7));
    let told: Vec<_> = taken.first.iter().map(ToString::to_string).collect();
    let parts = [
        "line 2: field type conflict: \"f\"",
        "line 3: field type conflict",
        "line 4: ",
        "line 5: \"time\"",
        "line 6: ",
        "line 7: ",
        "line 8: ",
    ];
    for (told, part) in told.iter().zip(parts) {
        assert!(told.starts_with(part), "{told}");
    }
    assert_eq!(data.numbers(Some(&log), "SELECT f FROM metrics.m ORDER BY time"), [1, 2, 8]);
    assert_eq!(log.table("metrics", "m").unwrap().unwrap().layout.table.fields.len(), 4, "a bad line makes no column");
}

#[test]
fn times_have_a_precision_and_compressed_bodies_a_bound() {
    let data = Fixture::new();
    let settings = crate::ingest::log::LogSettings { unfolded_bytes: 1_000, ..at_rest() };
    let log = data.open(settings).unwrap();
    for (precision, time) in [("ns", "1000"), ("us", "2"), ("ms", "3"), ("s", "4"), ("m", "5"), ("h", "6")] {
        let lines = Lines { precision: precision.parse().unwrap(), ..lines(&format!("m f=1 {time}")) };
        append_lines(&log, &lines).unwrap();
    }
    append_lines(&log, &lines("m f=1")).unwrap();
    let times = data.numbers(Some(&log), "SELECT CAST(time AS BIGINT) AS t FROM metrics.m ORDER BY t");
    let now = log.now().0;
    assert_eq!(times, [1, 2, 3_000, 4_000_000, 300_000_000, 21_600_000_000, now]);
    let bomb = zstd::encode_all("m f=1 1\n".repeat(1_000).as_bytes(), 1).unwrap();
    let lines = |body: Vec<u8>| Lines { body: body.into(), ..lines("") };
    assert!(matches!(append_lines(&log, &lines(bomb)), Err(IngestError::TooLarge { .. })));
    let small = zstd::encode_all("m f=2 1000\n".as_bytes(), 1).unwrap();
    assert_eq!(append_lines(&log, &lines(small)).unwrap().points, 1);
    assert!(matches!(append_lines(&log, &lines(vec![0xff, 0xfe])), Err(IngestError::BadFile { .. })));
}
