//! Texts that people write: mutations of those that ship, and bytes that were no text.

use telemill::clean::Recipe;
use telemill::core::time::Timestamp;
use telemill::plugin::{profiles, recipes, scenarios};
use telemill::project::Manifest;
use telemill::run::RunSpec;
use telemill::sink::profile::Profile;

use super::Choices;

/// Texts to parse.
const TEXTS: usize = 3_000;

/// A text with pieces taken out, doubled, swapped and replaced.
pub(super) fn mutated(text: &str, choices: &mut Choices<'_>) -> String {
    const PIECES: [&str; 16] = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "=",
        "\n",
        "\0",
        "-1",
        "1e999",
        "99999999999999999999",
        "\u{202e}",
        "[[a]]",
        "nan",
        "9999-12-31T23:59:60Z",
    ];
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=choices.below(6) {
        let at = choices.below(characters.len());
        let end = (at + choices.below(24)).min(characters.len());
        match choices.byte() % 4 {
            0 => drop(characters.drain(at..end)),
            1 => {
                let piece = characters[at..end].to_vec();
                let to = choices.below(characters.len());
                characters.splice(to..to, piece);
            }
            2 => drop(characters.splice(at..end, PIECES[choices.below(PIECES.len())].chars())),
            _ => {
                let other = choices.below(characters.len());
                if other < characters.len() {
                    characters.swap(at, other);
                }
            }
        }
        if characters.is_empty() {
            characters.push(' ');
        }
    }
    characters.into_iter().collect()
}

/// Lets `parse` try mutations of each of `texts`, and bytes that were no such text.
fn never_panics(texts: &[&str], parse: impl Fn(&str) + std::panic::RefUnwindSafe) {
    let texts: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
    assert!(!texts.is_empty());
    texts.iter().for_each(|text| parse(text));
    bolero::check!().with_iterations(TEXTS).with_max_len(256).for_each(|input: &[u8]| {
        let mut choices = Choices(input);
        let text = texts[choices.below(texts.len())];
        parse(&mutated(text, &mut choices));
        parse(&String::from_utf8_lossy(input));
    });
}

#[test]
fn specs_are_refused_or_used() {
    let texts: Vec<&str> = scenarios().map(|(_, text)| text).collect();
    never_panics(&texts, |text| {
        for json in [false, true] {
            if let Ok(spec) = RunSpec::parse(text, json, "spec") {
                // A spec that is taken can be stored, and comes back the same.
                let resolved = spec.resolve(Timestamp(0), 1);
                if let Ok(resolved) = resolved {
                    let stored = serde_json::to_string(&resolved).unwrap();
                    assert_eq!(serde_json::from_str::<telemill::run::ResolvedSpec>(&stored).unwrap(), resolved);
                }
            }
        }
    });
}

#[test]
fn recipes_are_refused_or_used() {
    let texts: Vec<&str> = recipes().iter().map(|(_, text)| *text).collect();
    never_panics(&texts, |text| drop(Recipe::parse(text, "recipe")));
}

#[test]
fn export_profiles_are_refused_or_used() {
    let texts: Vec<&str> = profiles().iter().map(|(_, text)| *text).collect();
    never_panics(&texts, |text| drop(Profile::parse(text, "profile")));
}

/// A project's manifest says what is run and which files are looked at: none outside of its folder.
#[test]
fn manifests_of_projects_are_refused_or_used() {
    let text = include_str!("../../../plugins/examples/water-meters/telemill-plugin.toml");
    never_panics(&[text], |text| {
        if let Ok(manifest) = Manifest::parse(text) {
            let steps = manifest.setup.iter().chain(&manifest.build);
            let files =
                [&manifest.component].into_iter().chain(&manifest.watch).chain(steps.flat_map(|step| &step.inputs));
            for file in files {
                let inside = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
                assert!(file.components().all(inside), "{}", file.display());
            }
        }
    });
}
