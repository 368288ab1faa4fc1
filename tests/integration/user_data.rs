//! Metrics of many users: files in, apart by user, merged once, counted; and nothing half taken in.

use std::fs;

use serde_json::json;

use crate::program::Place;

const HEADER: &str = "timestamp,cpu_percent,memory_percent,memory_used_gb,disk_read_mb,disk_write_mb,\
network_sent_mb,network_recv_mb,phase,user_id,source,label";

/// A user's file of `samples` rows, one a second.
fn give(place: &Place, user: &str, source: &str, start: &str, samples: u32) {
    let rows: String = (0..samples)
        .map(|i| format!("{i}.5,85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,{user},{source},normal\n"))
        .collect();
    fs::create_dir_all(place.path().join("given")).unwrap();
    place.file(&format!("given/{user}_{source}_{start}.csv"), format!("{HEADER}\n{rows}"));
}

#[test]
fn users_files_are_taken_in_merged_once_and_counted() {
    let place = Place::new();
    give(&place, "user_001", "external", "20240101_120000", 3);
    give(&place, "user_002", "simulation", "20240101_130000", 2);
    let imported = place.json(["import", "user-data", "given", "--json"]);
    assert_eq!(imported, json!({ "files": 2, "samples": 5, "known": 0 }));
    assert_eq!(place.json(["import", "user-data", "given", "--json"])["known"], 2, "a second import adds nothing");
    // Not all have all columns: these come from the file's name then.
    place.file(
        "given/user_002_web_20240102_000000.csv",
        "timestamp,cpu_percent,memory_percent,memory_used_gb,disk_read_mb,disk_write_mb,network_sent_mb,network_recv_mb,phase\n\
         60,1,30.2,2.1,0,0,0,0,idle\n",
    );
    assert_eq!(place.json(["import", "user-data", "given", "--json"])["samples"], 1);
    let rows = place.sql("SELECT time, user_id, source, label FROM user_data.user_metrics WHERE source = 'web'");
    assert_eq!(
        rows,
        [json!({ "time": "2024-01-02T00:01:00Z", "user_id": "user_002", "source": "web", "label": "normal" })]
    );

    let stats = place.json(["user-data", "stats", "--json"]);
    let users = json!({ "user_001": { "files": 1, "samples": 3 }, "user_002": { "files": 2, "samples": 3 } });
    assert_eq!(stats, json!({ "user_files": 3, "total_user_samples": 6, "users": users }));

    let merge = || place.json(["user-data", "merge", "--csv", "training_data.csv", "--json"]);
    let first = merge();
    assert_eq!((&first["merged_files"], &first["merged_samples"]), (&json!(3), &json!(6)), "{first}");
    let csv = fs::read_to_string(place.path().join("training_data.csv")).unwrap();
    let again = merge();
    assert_eq!((&again["merged_samples"], &again["training_samples"]), (&json!(0), &json!(6)), "{again}");
    assert_eq!(fs::read_to_string(place.path().join("training_data.csv")).unwrap(), csv);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(format!("{HEADER},collection_timestamp").as_str()));
    assert!(lines.next().unwrap().starts_with("0.5,85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,user_001,external,normal,"));
    assert_eq!(lines.count(), 5);
}

#[test]
fn one_bad_row_keeps_all_files_out_and_is_named() {
    let place = Place::new();
    give(&place, "user_001", "external", "20240101_120000", 3);
    place.file(
        "given/user_002_web_20240101_130000.csv",
        format!(
            "{HEADER}\n0,85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,user_002,web,normal\n\
             1,185.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,user_002,web,normal\n\
             2,85.5,30.2,2.1,5.2,2.1,1.0,0.8,dreaming,user_002,web,normal\n\
             3,85.5,30.2,2.1,5.2,2.1,1.0,0.8,idle,user_009,web,normal\n"
        ),
    );
    place.file("given/user_003_web_20240101_130000.csv", format!("{HEADER}\nzero,1,1,1,1,1,1,1,idle,,,\n"));
    place.file("given/notes.csv", "a,b\n1,2\n");
    let told = place.json_with_code(1, ["import", "user-data", "given", "--json"]);
    let first: Vec<String> =
        told["first"].as_array().unwrap().iter().map(|p| format!("{}: {}", p["path"], p["message"])).collect();
    let all = first.join("\n");
    for part in [
        "user_002_web_20240101_130000.csv: line 3\": \"column cpu_percent: 185.5",
        "user_002_web_20240101_130000.csv: line 4\": \"column phase",
        "user_002_web_20240101_130000.csv: line 5\": \"column user_id",
        "user_003_web_20240101_130000.csv: line 2",
        "notes.csv",
    ] {
        assert!(all.contains(part), "{part} is missing in:\n{all}");
    }
    assert_eq!(told["problems"], 5, "{all}");
    assert_eq!(place.json(["dataset", "list", "--json"]), json!([]), "nothing half imported");
    place.ask(["user-data", "merge"]).refused(&["no samples", "telemill import user-data"]);
}

#[test]
fn all_faults_of_a_file_are_told_at_their_lines() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("given")).unwrap();
    let good = "85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu_bound,u,web,normal";
    // A blank line counts as one; a row that does not parse hides no other.
    place.file(
        "given/u_web_20240101_130000.csv",
        format!(
            "{HEADER}\n0,{good}\n\n1,{good}\nzero,{good}\n3,{}\n4,{}\n",
            good.replace("85.5", "185.5"),
            good.replace("2.1,5.2", "inf,5.2")
        ),
    );
    place.file("given/v_web_20240101_130000.csv", format!("{HEADER}\n"));
    let mut text = format!("{HEADER}\n0,{good}\n").into_bytes();
    text.extend(b"1,85.5,30.2,2.1,5.2,2.1,1.0,0.8,cpu\xff,u,web,normal\n");
    place.file("given/u_web_20240102_130000.csv", text);
    place.file("given/u_web_20240103_130000.csv", b"timestamp,cpu\xffpercent\n1,2\n");
    let told = place.json_with_code(1, ["import", "user-data", "given", "--json"]);
    let first: Vec<String> =
        told["first"].as_array().unwrap().iter().map(|p| format!("{}: {}", p["path"], p["message"])).collect();
    let all = first.join("\n");
    for part in [
        "u_web_20240101_130000.csv: line 5",
        "u_web_20240101_130000.csv: line 6\": \"column cpu_percent: 185.5 is not 0 to 100",
        "u_web_20240101_130000.csv: line 7\": \"column memory_used_gb: inf is no finite number",
        "u_web_20240102_130000.csv: line 3",
        "u_web_20240103_130000.csv",
        "v_web_20240101_130000.csv\": \"has no sample",
    ] {
        assert!(all.contains(part), "{part} is missing in:\n{all}");
    }
    assert_eq!(told["problems"], 6, "{all}");
    assert_eq!(place.json(["dataset", "list", "--json"]), json!([]), "nothing half imported");
}

/// Times of the samples in a dataset, by user and the time since its start.
const TIMES: &str = "SELECT user_id, timestamp, time FROM user_data.user_metrics WHERE timestamp >= 20 ORDER BY 1, 2";

#[test]
fn a_part_that_is_exported_is_taken_in_at_its_own_times() {
    let place = Place::new();
    give(&place, "user_001", "external", "20240101_120000", 60);
    give(&place, "user_002", "web", "20240101_120010", 50);
    place.good(["import", "user-data", "given"]);
    let profile = ["--profile", "user-workloads/user_data", "--output-dir", "part"];
    let span = ["--from", "2024-01-01T12:00:30Z"];
    place.good(["export", "user_data"].into_iter().chain(profile).chain(span));
    let mut names: Vec<String> = fs::read_dir(place.path().join("part"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["user_001_external_20240101_120000.csv", "user_002_web_20240101_120010.csv"]);

    let other = Place::new();
    other.good(["import", "user-data", &place.path().join("part").display().to_string()]);
    let rows = place.sql(TIMES).into_iter().filter(|row| row["time"].as_str() >= Some("2024-01-01T12:00:30"));
    assert_eq!(other.sql(TIMES), rows.collect::<Vec<_>>());
}

#[test]
fn a_file_that_changed_under_its_name_is_refused() {
    let place = Place::new();
    give(&place, "user_001", "external", "20240101_120000", 3);
    place.good(["import", "user-data", "given"]);
    give(&place, "user_001", "external", "20240101_120000", 4);
    let told = place.json_with_code(1, ["import", "user-data", "given", "--json"]);
    assert!(told["first"][0]["message"].as_str().unwrap().contains("other content"), "{told}");
    place.ask(["import", "user-data", "data"]).refused(&["no file that ends in .csv"]);
}
