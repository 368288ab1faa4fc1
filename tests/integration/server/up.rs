//! `telemill up`: server, stream and validators of a scenario, begun and ended together.

use super::streams::show;
use crate::program::{Place, wait_until};
use serde_json::Value;

const WORDS: [&str; 8] = ["up", "ecommerce", "--dataset", "live", "--speed", "600", "--set", "ecommerce.base_tps=20"];

#[test]
fn a_scenario_comes_up_ends_with_one_signal_and_goes_on_as_the_same_stream() {
    let place = Place::new();
    let server = place.served(WORDS.into_iter().chain(["--backfill", "2h"]));
    let id = server.told["stream"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/streams/{id}");
    wait_until("it is live", || show(&server, &format!("{path}/stats"))["mode"] == "live");
    // The scenario's validators judge what was filled in.
    wait_until("its rows are judged", || {
        let reports = server.get("/api/v1/reports?dataset=live").with_status(200).json();
        reports["items"].as_array().unwrap().iter().any(|report| report["plugin"] == "service-levels")
    });
    server.stop().with_code(0);
    let stood = place.json(["stream", "show", "--json"]);
    assert_eq!(stood["state"], "running", "it is not over");

    let server = place.served(WORDS);
    assert_eq!(server.told["stream"]["id"], id.as_str());
    let stood = stood["position"].as_str().unwrap();
    wait_until("it goes on", || show(&server, &path)["position"].as_str().unwrap() > stood);
    assert_eq!(server.get("/api/v1/streams").json()["items"].as_array().unwrap().len(), 1);
    server.stop().with_code(0);

    // Whoever asks for other rows under this name is told.
    let mut other = WORDS;
    other[7] = "ecommerce.base_tps=21";
    place.ask(other.into_iter().chain(["--listen", "127.0.0.1:0"])).refused(&["with another spec"]);

    // For people: where it is, and three commands.
    let mut running = place.spawn(WORDS.into_iter().chain(["--listen", "127.0.0.1:0"]));
    let commits = || place.json(["stream", "show", "--json"])["commits"].as_u64().unwrap();
    let before = commits();
    wait_until("it goes on once more", || commits() > before);
    running.interrupt();
    let told = running.answer().with_code(0).out;
    for part in ["listening on http://127.0.0.1:", &id, "goes on at", "/stats", "/tail", "telemill --data-dir "] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    let verified: Value = place.json(["stream", "verify", "--json"]);
    assert_eq!(verified["equal"], true, "{verified}");
}
