//! Components in a registry of images.

use std::fs;

use serde_json::Value;
use telemill_tests::guest;

use super::{kept, noted, spec};
use crate::program::Place;
use crate::registry::Registry;

#[test]
fn a_component_goes_through_a_registry_and_a_pin_holds_it() {
    let Some(registry) = Registry::start() else { return };
    let image = |name: &str| format!("oci://{}/{name}", registry.address());
    let place = Place::new();
    fs::create_dir(place.path().join("meters")).unwrap();
    place.file("meters/hostile.wasm", noted(guest("hostile").unwrap(), "one"));
    place.file("meters/scenario.toml", spec(&serde_json::json!({})));
    place.file("two.wasm", noted(guest("hostile").unwrap(), "two"));
    let push = |what: &str, image: &str| place.json(["plugin", "push", what, image, "--json"]);
    let manifest = |pushed: &Value| pushed["manifest"].as_str().unwrap().to_owned();
    let (name, latest) = (image("plugins/hostile:1.0.0"), image("plugins/hostile:2.0.0"));
    let one = push("meters", &name);
    assert_eq!(manifest(&push("meters", &name)), manifest(&one), "the same component gives the same image");
    let two = push("two.wasm", &latest);
    assert_ne!(manifest(&one), manifest(&two));

    let files = kept(&place.data());
    let pinned = format!("{name}@{}", manifest(&one));
    let unknown = format!("{name}@sha256:{}", "0".repeat(64));
    place.ask(["plugin", "install", &unknown]).refused(&["can't be pulled"]);
    let component = two["component"].as_str().unwrap();
    place.ask(["plugin", "install", &name, "--digest", component]).refused(&["is wanted"]);
    place.ask(["plugin", "install", &image("plugins/unheard-of:1")]).refused(&["can't be pulled", "unheard-of"]);
    let few = ["--setting", "limits.component_bytes=1000", "plugin", "install", &name];
    place.ask(few).refused(&["at most 1000 are taken"]);
    assert_eq!(kept(&place.data()), files);

    // The tag is moved to another component; what was pinned comes as it was.
    assert_eq!(manifest(&push("two.wasm", &name)), manifest(&two));
    let installed = place.json(["plugin", "install", &pinned, "--enable", "--json"]);
    assert_eq!(installed["installed"]["digest"], one["component"]);
    assert!(installed["installed"]["source"].as_str().unwrap().ends_with(&manifest(&one)), "{installed}");
    assert!(place.good(["plugin", "inspect", "hostile", "--scenario"]).contains("dataset = \"meters\""));
    let installed = place.json(["plugin", "install", &latest, "--json"]);
    assert_eq!(installed["installed"]["digest"], two["component"]);
    // Where a tag stood for a manifest when it was pulled stays known.
    assert!(installed["installed"]["source"].as_str().unwrap().ends_with(&manifest(&two)), "{installed}");
}

#[test]
fn a_push_to_what_is_no_image_says_how_one_is_written() {
    let place = Place::new();
    place.file("hostile.wasm", guest("hostile").unwrap());
    for plain in ["http://127.0.0.1:5000/hostile", "127.0.0.1:5000/hostile:1"] {
        let said = [&format!("{plain} names no image of a registry"), "oci://"];
        let told = place.ask(["plugin", "push", "hostile.wasm", plain]).refused(&said);
        assert!(!told.err.contains("installed"), "{}", told.err);
    }
}
