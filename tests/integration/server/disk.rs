//! A disk that is full: a file system of a few megabytes, where the system lets us mount one.

use crate::program::{Place, Served, wait_until};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rows of a request, a few hundred kilobytes.
const ROWS: u64 = 2_000;
/// Requests that no disk of ours has room for.
const MANY: u64 = 500;

/// A small file system, which goes with this.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one over `folder`; none where the system refuses.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder).output();
        let mounted = output.is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: the system does not let these tests mount a small file system");
        }
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Somebody else's file of so many bytes, or of as many as there are left.
    fn take(&self, name: &str, bytes: usize) -> PathBuf {
        const STEP: usize = 4_096;
        let path = self.0.join(name);
        let mut file = File::create(&path).unwrap();
        let mut left = bytes;
        while left > 0 && file.write_all(&[b'x'; STEP]).is_ok() {
            left = left.saturating_sub(STEP);
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What a killed server had open may take a moment to go.
        let gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(gone.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// The status of rows that are sent; who is refused is told when to come again.
fn send(served: &Served, table: &str, first: u64) -> u16 {
    let row = |id: u64| format!("{{\"id\":{id},\"text\":\"{:0>100}\"}}\n", id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let body: String = (first..first + ROWS).map(row).collect();
    let headers = [("content-type", "application/x-ndjson")];
    let reply = served.send("POST", &format!("/api/v1/ingest/load/{table}"), &headers, body.as_bytes());
    assert_eq!(reply.header("retry-after"), (reply.status == 507).then_some("30"), "{}", reply.text());
    reply.status
}

/// Sends until the disk is full; returns how many rows were acknowledged in all.
fn send_until_full(served: &Served, mut acknowledged: u64) -> u64 {
    for _ in 0..MANY {
        match send(served, "rows", acknowledged) {
            200 => acknowledged += ROWS,
            507 => return acknowledged,
            other => panic!("status {other} after {acknowledged} rows"),
        }
    }
    panic!("the disk never was full");
}

fn holds(served: &Served, rows: u64) {
    let found = served.sql("SELECT count(*) AS n, count(DISTINCT id) AS ids, max(id) AS last FROM load.rows");
    assert_eq!(found, [serde_json::json!({"n": rows, "ids": rows, "last": rows - 1})]);
}

#[test]
fn a_full_disk_is_told_before_anything_is_taken_and_loses_nothing() {
    let place = Place::new();
    let Some(disk) = Disk::mount(&place.data(), "48m") else { return };
    let settings = |keep: &'static str| ["--setting", keep, "--setting", "ingest.move_after_s=3600"];

    // What is to be left is left: a disk that others do not fill never is full.
    let served = place.serve(settings("ingest.keep_free_bytes=8000000"));
    let mut rows = send_until_full(&served, 0);
    assert!(rows > 0);
    assert_eq!(send(&served, "others", 0), 507);
    let lines: String = (0..ROWS).map(|row| format!("points,host=a text=\"{row:0>100}\" {row}\n")).collect();
    let reply = served.send("POST", "/api/v2/write?bucket=load", &[], lines.as_bytes()).with_status(507);
    assert!(reply.json()["message"].as_str().unwrap().contains("full"), "{}", reply.text());
    assert_eq!(reply.header("retry-after"), Some("30"));
    let tables = served.get("/api/v1/datasets/load").with_status(200).text();
    assert!(
        !tables.contains("others") && !tables.contains("points"),
        "nothing is declared for what is refused: {tables}"
    );
    holds(&served, rows);
    // There is room for it in the lake.
    served.stop().with_code(0);

    // A disk that is full to its last byte, whatever was to be left of it.
    let served = place.serve(settings("ingest.keep_free_bytes=0"));
    let much = disk.take("much", 10_000_000);
    rows = send_until_full(&served, rows);
    let rest = disk.take("rest", usize::MAX);
    assert_eq!(send(&served, "rows", rows), 507);
    assert_eq!(send(&served, "others", 0), 507);
    let files = "/api/v1/datasets/load/tables/rows/files?name=rows.csv";
    let reply = served.send("POST", files, &[], "id\n1\n".repeat(100_000).as_bytes()).with_status(507);
    assert_eq!(reply.header("retry-after"), Some("30"), "{}", reply.text());
    holds(&served, rows);
    served.kill();
    [much, rest].iter().for_each(|file| fs::remove_file(file).unwrap());
    let served = place.serve(["--setting", "ingest.keep_free_bytes=0", "--setting", "ingest.move_after_s=1"]);
    holds(&served, rows);
    // What is moved leaves the log, and there is room again.
    wait_until("rows are taken again", || match send(&served, "rows", rows) {
        200 => true,
        507 => false,
        other => panic!("status {other}"),
    });
    holds(&served, rows + ROWS);
    served.stop().with_code(0);
}
