//! Folders and URLs as sources, pins, and the scenario that comes with a component.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use telemill_tests::guest;

use super::{installed, kept, noted, spec};
use crate::program::Place;

/// Answers every request with these bytes; lives as long as the test's process.
fn serve(status: &'static str, body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            let mut read: Vec<u8> = Vec::new();
            while !read.windows(4).any(|end: &[u8]| end == b"\r\n\r\n") {
                let count = stream.read(&mut request).unwrap();
                read.extend(&request[..count]);
            }
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // Whoever asked may have seen enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

#[test]
fn a_url_is_downloaded_and_held_to_its_pin() {
    let place = Place::new();
    let component = noted(guest("hostile").unwrap(), "from afar");
    let address = serve("200 OK", component);
    let url = format!("http://{address}/hostile.wasm");
    let wrong = "0".repeat(64);
    let before = kept(&place.data());
    place.ask(["plugin", "install", &url, "--digest", &wrong]).refused(&["is wanted", "nothing was installed"]);
    assert_eq!(kept(&place.data()), before);
    let digest = installed(&place, &url);
    let again = place.json(["plugin", "install", &url, "--digest", &format!("sha256:{digest}"), "--json"]);
    assert_eq!((&again["installed"]["new"], &again["installed"]["source"]), (&false.into(), &url.as_str().into()));
}

#[test]
fn what_does_not_come_or_comes_too_large_is_refused() {
    let place = Place::new();
    let missing = format!("http://{}/x.wasm", serve("404 Not Found", Vec::new()));
    place.ask(["plugin", "install", &missing]).refused(&["404"]);
    let large = format!("http://{}/x.wasm", serve("200 OK", vec![0; 300_000]));
    place
        .ask(["--setting", "limits.component_bytes=200000", "plugin", "install", &large])
        .refused(&["component_bytes"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.ask(["plugin", "install", &format!("http://{nobody}/x.wasm")]).refused(&["can't be installed"]);
}

#[test]
fn a_folder_brings_its_scenario() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("meters/dist")).unwrap();
    place.file("meters/dist/hostile.wasm", guest("hostile").unwrap());
    place.file("meters/scenario.toml", "dataset = 7");
    place.ask(["plugin", "install", "meters"]).refused(&["scenario"]);
    place.file("meters/scenario.toml", spec(&serde_json::json!({ "meters": 2 })));
    place.good(["plugin", "install", "meters", "--enable"]);
    let scenario = place.good(["plugin", "inspect", "hostile", "--scenario"]);
    place.file("spec.toml", scenario);
    let run = place.json(["run", "start", "spec.toml", "--quiet", "--json"])["run"].clone();
    assert_eq!(run["tables"][2]["rows"], 120, "{run}");
}
