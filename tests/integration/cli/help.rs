//! Help of every command: an example, an end with 0, and a text that changes only when somebody looks.

use crate::program::{Place, answer};

/// The help of a command, and the names of the commands below it.
fn help(place: &Place, words: &[String]) -> (String, Vec<String>) {
    let shown = answer(place.command(words.iter().map(String::as_str)).arg("--help").output().unwrap()).with_code(0);
    assert_eq!(shown.err, "", "{words:?}");
    let below = shown.out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = below.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help").map(str::to_owned).collect();
    (shown.out, names)
}

/// Every command, from the program itself down.
fn walk(place: &Place, words: Vec<String>, seen: &mut Vec<(Vec<String>, String)>) {
    let (text, names) = help(place, &words);
    seen.push((words.clone(), text));
    for name in names {
        walk(place, words.iter().cloned().chain([name]).collect(), seen);
    }
}

#[test]
fn every_command_has_a_help_with_an_example() {
    let place = Place::new();
    let mut seen = Vec::new();
    walk(&place, Vec::new(), &mut seen);
    for more in [["generate", "ecommerce"].as_slice(), &["completions"], &["man"]] {
        let words: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        let text = help(&place, &words).0;
        seen.push((words, text));
    }
    assert!(seen.len() > 20, "only {} commands were found", seen.len());
    for (words, text) in &seen {
        assert!(text.contains("Example:"), "no example in the help of {words:?}:\n{text}");
        for pair in example_lines(text).windows(2) {
            let (line, next) = (pair[0], pair[1]);
            let whole = next.starts_with("telemill ") || line.ends_with('\\');
            assert!(whole, "an example in the help of {words:?} can't be typed as it stands:\n{text}");
        }
        let name = format!("help {}", words.join(" ")).trim_end().replace(' ', "-");
        insta::assert_snapshot!(name, text.as_str());
    }
}

/// The lines behind "Example:", up to the next paragraph.
fn example_lines(help: &str) -> Vec<&str> {
    let behind = help.lines().skip_while(|line| *line != "Example:").skip(1).map(str::trim);
    behind.take_while(|line| !line.is_empty()).collect()
}

/// The commands behind "Example:", each as one would type it.
fn examples(help: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in example_lines(help) {
        match commands.last_mut() {
            Some(last) if last.ends_with('\\') => *last = format!("{last}\n{line}"),
            _ => commands.push(line.to_owned()),
        }
    }
    commands
}

/// Examples of commands that need no server and no file of the reader's own.
#[test]
fn examples_of_the_help_run() {
    let place = Place::new();
    place.good(["run", "start", "ecommerce", "--duration", "1m", "--quiet"]);
    let mut seen = Vec::new();
    walk(&place, Vec::new(), &mut seen);
    let mut run = 0;
    for (words, text) in &seen {
        for line in examples(text) {
            let elsewhere = [
                "load",
                "ingest",
                "collect",
                "import",
                "user-data",
                "generate",
                "fit",
                "schedule",
                "alert",
                "serve",
                "up",
                "stream",
            ]
            .contains(&words.first().map_or("", String::as_str));
            let changes = [
                "mine.wasm",
                "thermostat",
                "registry.example",
                "--duration",
                "drop",
                "resume",
                "token create",
                "revoke",
                "--server",
            ]
            .iter()
            .any(|word| line.contains(word));
            if elsewhere || changes {
                continue;
            }
            let script = line.replacen("telemill ", "\"$TELEMILL\" ", 1).replace(" | jq .fingerprint", "");
            let mut shell = std::process::Command::new("bash");
            let program = place.command([]);
            shell.args(["-ec", &script]).current_dir(place.path()).env("TELEMILL", program.get_program());
            let ended = answer(shell.env("TELEMILL_DATA_DIR", place.data()).output().unwrap());
            // A minute of traffic may break rules of a week.
            let verdict = line.contains("validate") || line.contains("doctor");
            assert!(ended.code == Some(0) || verdict && ended.code == Some(1), "{line}: {}", ended.err);
            run += 1;
        }
    }
    assert!(run > 12, "only {run} examples were run");
}
