//! The files of the document profile, and their way into a server.

use super::receiver::Receiver;
use super::{WINDOW, connect, guest, rows, table};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use telemill::batch::to_arrow;
use telemill::sink::SinkError;
use telemill::sink::documents::{self, DocumentFiles};
use telemill::sink::opensearch::LoadError;

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn documents_are_split_by_phase_and_load_into_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let tables = [table("infrastructure_metrics", false), table("transactions", true)];
    let mut files = DocumentFiles::create(dir.path(), &tables, "demo").unwrap();
    let mut foretold = 0;
    for (position, part) in [(1, 0..13), (0, 0..5), (1, 13..40)] {
        let all = if position == 0 { vec![(1, "web-1", 1.0); 5] } else { rows(40) };
        let (_, batch) = to_arrow(guest(position, &all[part]), &tables, WINDOW).unwrap();
        foretold += documents::estimate(&tables, position as usize, &batch, "demo").unwrap().bytes;
        files.write(position as usize, &batch).unwrap();
    }
    assert!(names(dir.path()).iter().all(|name| name.ends_with(".partial")), "nothing is there before it is whole");
    let written = files.finish(&json!({ "seed": 7 })).unwrap();
    let expected = [
        "all_data.ndjson",
        "config.json",
        "incident_data.ndjson",
        "infrastructure_metrics.ndjson",
        "infrastructure_metrics_mapping.json",
        "mapping.json",
        "normal_data.ndjson",
        "recovery_data.ndjson",
    ];
    assert_eq!(names(dir.path()), expected.map(str::to_owned).into());
    let counted: Vec<_> =
        written.iter().filter(|file| file.rows > 0).map(|file| (file.name.as_str(), file.rows)).collect();
    assert_eq!(
        counted,
        [
            ("infrastructure_metrics.ndjson", 5),
            ("normal_data.ndjson", 32),
            ("incident_data.ndjson", 4),
            ("recovery_data.ndjson", 4),
            ("all_data.ndjson", 40)
        ]
    );
    assert_eq!(written.iter().filter(|file| file.rows > 0).map(|file| file.bytes).sum::<u64>(), foretold);

    let all = read(dir.path(), "all_data.ndjson");
    let lines: BTreeSet<&str> = all.lines().skip(1).step_by(2).collect();
    for phase in ["normal", "incident", "recovery"] {
        let part = read(dir.path(), &format!("{phase}_data.ndjson"));
        assert!(
            part.lines()
                .skip(1)
                .step_by(2)
                .all(|line| line.contains(&format!("\"phase\":\"{phase}\"")) && lines.contains(line))
        );
    }
    assert!(all.starts_with("{\"index\":{\"_index\":\"demo\",\"_id\":\"0\"}}\n{\"@timestamp\":\"1970-01-01T00:00:00.000000Z\",\"event_id\":0,\"phase\":\"normal\",\"duration_ms\":0.0}\n"), "{all}");
    assert!(
        read(dir.path(), "infrastructure_metrics.ndjson")
            .starts_with("{\"index\":{\"_index\":\"demo_infrastructure_metrics\",")
    );
    assert_eq!(read(dir.path(), "config.json"), "{\n  \"seed\": 7\n}\n");

    // The mapping that was written makes the index, and the file loads under another name than it was made for.
    let receiver = Receiver::start();
    let server = connect(&receiver);
    let mapping: Value = serde_json::from_str(&read(dir.path(), "mapping.json")).unwrap();
    assert_eq!(mapping["mappings"]["properties"]["@timestamp"]["type"], "date");
    server.create_index("other", &mapping, false).unwrap();
    let outcome = server.load_file("other", &dir.path().join("all_data.ndjson"), &|| false, &mut |_| {}).unwrap();
    assert_eq!((outcome.accepted, outcome.refused), (40, 0));
    assert_eq!(server.count("other").unwrap(), 40);
    assert_eq!(receiver.cluster().indices.keys().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn files_of_a_run_that_fails_go_away() {
    let dir = tempfile::tempdir().unwrap();
    let tables = [table("transactions", true)];
    let mut files = DocumentFiles::create(dir.path(), &tables, "demo").unwrap();
    let (_, batch) = to_arrow(guest(0, &[(1, "normal", 0.0), (2, "odd", 0.0)]), &tables, WINDOW).unwrap();
    let error = files.write(0, &batch).expect_err("a phase without a file");
    assert!(matches!(&error, SinkError::UnknownPhase { phase, .. } if phase == "odd"), "{error}");
    drop(files);
    assert_eq!(names(dir.path()), BTreeSet::new());
}

#[test]
fn a_mapping_can_be_had_alone() {
    let dir = tempfile::tempdir().unwrap();
    documents::write_mappings(dir.path(), &[table("metrics", false)], "demo").unwrap();
    assert_eq!(names(dir.path()), BTreeSet::from(["mapping.json".to_owned()]));
}

#[test]
fn files_that_are_no_bulk_lines_are_named_with_the_line_and_a_stop_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let server = connect(&receiver);
    let path = dir.path().join("some.ndjson");
    for (content, line) in [("{\"a\":1}\n", 1), ("{\"index\":{}}\n{\"a\":1}\n\nnonsense\n", 4), ("{\"index\":{}}\n", 2)]
    {
        fs::write(&path, content).unwrap();
        let error = server.load_file("demo", &path, &|| false, &mut |_| {}).expect_err("no bulk lines");
        assert!(matches!(&error, LoadError::BadFile { line: found, .. } if *found == line), "{error}");
    }
    fs::write(&path, "{\"index\":{}}\n{\"a\":1}\n").unwrap();
    assert!(matches!(server.load_file("stopped", &path, &|| true, &mut |_| {}), Err(LoadError::Stopped)));
    assert!(!receiver.cluster().indices.contains_key("stopped"), "something was sent after the stop");
    assert!(server.load_file("demo", &dir.path().join("missing.ndjson"), &|| false, &mut |_| {}).is_err());
}
