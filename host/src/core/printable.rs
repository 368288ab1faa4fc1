//! Text of others as it may be shown: on a terminal, in a line of a log, in an error.

/// Longest text that is shown in one piece, in bytes.
const MAX_SHOWN_BYTES: usize = 4 << 10;

/// Whether a character does something other than stand there: control characters, line breaks among them, and the invisible
/// ones that turn or hide text.
pub fn is_harmful(c: char) -> bool {
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    c.is_control() || hides
}

/// A text as it may be shown: harmful characters are escaped, and what is longer than 4 KiB is cut.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN_BYTES));
    for c in text.chars() {
        if shown.len() >= MAX_SHOWN_BYTES {
            shown.push('…');
            break;
        }
        push(&mut shown, c);
    }
    shown
}

/// A text as it may be shown, whole, for what is bounded already: harmful characters are escaped.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut shown, c));
    shown
}

/// A text of several lines as it may be shown, whole: its line breaks and tabs stay.
pub fn printable_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        if matches!(c, '\n' | '\t') { shown.push(c) } else { push(&mut shown, c) }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_safe() {
        assert_eq!(printable("a\u{1b}[31mred\nb\u{202e}c ü"), "a\\u{1b}[31mred\\nb\\u{202e}c ü");
        assert!(printable(&"x".repeat(1 << 20)).len() < MAX_SHOWN_BYTES + 8);
    }

    #[test]
    fn lines_stay_lines() {
        let long = "x".repeat(MAX_SHOWN_BYTES * 2);
        assert_eq!(
            printable_lines(&format!("# a\r\n\tb\u{1b}\u{9b}\rc\n{long}")),
            format!("# a\n\tb\\u{{1b}}\\u{{9b}}\\rc\n{long}")
        );
    }
}
