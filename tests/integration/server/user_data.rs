//! Metrics of users over HTTP: what comes again under its key.

use crate::program::{Place, Served};
use serde_json::{Value, json};
use std::fs;

const KEY: [(&str, &str); 2] = [("content-type", "application/json"), ("idempotency-key", "k1")];

fn body() -> Vec<u8> {
    let sample = |second: u32| {
        json!({
            "timestamp": second, "cpu_percent": 85.5, "memory_percent": 30.2, "memory_used_gb": 2.1, "disk_read_mb": 5.2,
            "disk_write_mb": 2.1, "network_sent_mb": 1.0, "network_recv_mb": 0.8, "phase": "cpu_bound"
        })
    };
    let metrics: Vec<Value> = (0..3).map(sample).collect();
    json!({ "metrics": metrics, "user_id": "user_001", "merge_to_training": true }).to_string().into_bytes()
}

/// Sends the samples; what is answered is so: they are there once, under that name, and to train on.
fn holds(served: &Served, repeated: bool) -> String {
    let answer = served.send("POST", "/api/collect-data", &KEY, &body()).with_status(200).json();
    assert_eq!((&answer["repeated"], &answer["merged_to_training"]), (&json!(repeated), &json!(true)), "{answer}");
    assert_eq!(answer["samples"], 3);
    let file = answer["file"].as_str().unwrap().to_owned();
    for table in ["user_metrics", "training_data"] {
        let found = served.sql(&format!("SELECT file, count(*) AS n FROM user_data.{table} GROUP BY file"));
        assert_eq!(found, [json!({ "file": file, "n": 3 })], "{table}");
    }
    file
}

#[test]
fn samples_that_come_again_have_their_file_and_are_merged() {
    let place = Place::new();
    let served = place.serve([]);
    // Where the table's folder should be is a file: the samples are acknowledged, and the merge fails, as a kill ends it.
    let folder = place.data().join("lake/user_data/training_data");
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "").unwrap();
    served.send("POST", "/api/collect-data", &KEY, &body()).with_status(500);
    fs::remove_file(&folder).unwrap();
    let file = holds(&served, true);
    assert!(file.starts_with("user_001_external_20"), "{file}");
    assert_eq!(holds(&served, true), file);
    // The log remembers, and the database when the rows have moved.
    served.kill();
    let served = place.serve([]);
    assert_eq!(holds(&served, true), file);
    served.stop().with_code(0);
    let served = place.serve([]);
    assert_eq!(holds(&served, true), file);

    // Without a key they are others, with a file of their own.
    let other = served.send("POST", "/api/collect-data", &KEY[..1], &body()).with_status(200).json();
    assert_eq!((&other["repeated"], other["file"] == file), (&json!(false), false), "{other}");
    served.stop().with_code(0);
}
