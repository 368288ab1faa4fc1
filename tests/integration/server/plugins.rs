//! Plugins over HTTP: what is refused and what that leaves behind, and a folder that is watched.

use crate::program::{Place, Served, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use telemill::core::digest::Digest;
use telemill_tests::{guest, lying_guest, noted};

const WASM: (&str, &str) = ("content-type", "application/wasm");

/// The names of all files of components.
fn kept(place: &Place) -> BTreeSet<String> {
    let entries = fs::read_dir(place.data().join("plugins")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_refused_upload_leaves_everything_as_it_was() {
    let place = Place::new();
    let server = place.serve(["--setting", "limits.component_bytes=5000000"]);
    let upload = |query: &str, body: &[u8]| server.send("POST", &format!("/api/v1/plugins{query}"), &[WASM], body);
    let good = guest("hostile").unwrap();
    let first = upload("?activate=true", &good).with_status(201);
    assert_eq!(first.header("location"), Some("/api/v1/plugins/hostile"));
    let digest = first.json()["installed"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(first.json()["activated"]["active"], digest.as_str());
    let state = || (server.get("/api/v1/plugins").json(), server.get("/api/v1/plugins/hostile").json());
    // What plugins say of themselves is kept from the first list on.
    state();
    let (before, files) = (state(), kept(&place));
    let large = vec![0; 5_000_001];
    let cases: [(&str, &[u8], &str); 6] = [
        ("", b"no component", "no WebAssembly"),
        ("", b"", "no WebAssembly"),
        ("", &lying_guest("bad-name").unwrap(), "descriptor"),
        ("?activate=true", &lying_guest("bad-table").unwrap(), "breaks the contract"),
        ("", &large, "component_bytes"),
        (&format!("?digest={}", "0".repeat(64)), &noted(good.clone(), "another"), "is wanted"),
    ];
    for (query, body, part) in cases {
        let reply = upload(query, body).with_status(422);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert!(reply.text().contains(part), "{part} is missing in {}", reply.text());
    }
    assert_eq!(state(), before);
    assert_eq!(kept(&place), files);
    // A version that can't take the place of the active one is kept, and does not take it.
    let other = upload("", &lying_guest("other-column").unwrap()).with_status(201).json();
    let exact = format!("sha256:{}", other["installed"]["digest"].as_str().unwrap());
    let refused = server.post("/api/v1/plugins/hostile/activate", &json!({ "version": exact })).with_status(409).json();
    assert_eq!(refused["errors"][0]["path"], "readings.flag", "{refused}");
    let (_, after) = state();
    assert_eq!((&after["active"], &after["history"]), (&before.1["active"], &before.1["history"]));
    // A digest may stand without its kind, and is one of the plugin that the path names.
    let activate = |name: &str, version: &str| {
        server.post(&format!("/api/v1/plugins/{name}/activate"), &json!({ "version": version }))
    };
    activate("hostile", &digest).with_status(200);
    assert!(activate("ecommerce", &digest).with_status(404).text().contains("a version of hostile"));
    let inspected = server.get(&format!("/api/v1/plugins/hostile/inspect?version=sha256:{}", &digest[..12]));
    assert_eq!(inspected.with_status(200).json()["digest"], digest.as_str());
    let foreign = server.send("DELETE", &format!("/api/v1/plugins/ecommerce/versions/{exact}"), &[], &[]);
    foreign.with_status(404);
    let audit = server.get("/api/v1/audit").json().to_string();
    assert!(audit.contains(&format!("hostile means sha256:{digest}")), "{audit}");
    // The same again is there already.
    assert_eq!(upload("", &good).with_status(200).json()["installed"]["new"], false);
}

fn digests(server: &Served) -> BTreeSet<String> {
    let listing = server.get("/api/v1/plugins/hostile").json();
    assert_eq!(listing["active"], Value::Null, "what comes is not active by itself: {listing}");
    let versions = listing["versions"].as_array().cloned().unwrap_or_default();
    versions.iter().map(|version| version["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_component_in_the_watched_folder_is_installed() {
    let place = Place::new();
    let folder = place.path().join("watched");
    fs::create_dir(&folder).unwrap();
    let component = |note: &str| noted(guest("hostile").unwrap(), note);
    let digest = |note: &str| Digest::of(&component(note)).to_string();
    // Moved, as those do who write elsewhere first.
    let put = |name: &str, bytes: &[u8]| fs::rename(place.file("moved", bytes), folder.join(name)).unwrap();
    let all = |notes: &[&str]| notes.iter().map(|note| digest(note)).collect::<BTreeSet<_>>();

    put("first.wasm", &component("before"));
    let server = place.serve(["--plugins-dir", "watched"]);
    wait_until("the one that was there before is installed", || digests(&server) == all(&["before"]));
    put("second.wasm", &component("moved"));
    wait_until("one that was moved there is installed", || digests(&server) == all(&["before", "moved"]));
    fs::write(folder.join("third.wasm"), component("written")).unwrap();
    wait_until("one that was written there is installed", || digests(&server) == all(&["before", "moved", "written"]));
    // Another length tells it from the one before, whatever the clock of the disk.
    put("first.wasm", &component("in its place"));
    let four = all(&["before", "moved", "written", "in its place"]);
    wait_until("one that took another's place is installed", || digests(&server) == four);

    put("liar.wasm", &lying_guest("bad-name").unwrap());
    put("notes.txt", b"no component at all");
    put("the-last.wasm", &component("after the liar"));
    let five: BTreeSet<String> = four.into_iter().chain([digest("after the liar")]).collect();
    wait_until("the watch goes on after a refusal", || digests(&server) == five);
    assert!(folder.join("liar.wasm").exists(), "what is refused stays where it is");
    let said = server.stop().with_code(0).err;
    assert!(said.contains("not installed") && said.contains("liar.wasm"), "{said}");
    assert!(!said.contains("notes.txt"), "{said}");
}
