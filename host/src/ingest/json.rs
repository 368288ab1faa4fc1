//! JSON records: an object a line, or an action line and a document as in OpenSearch's bulk bodies. Numbers stay the
//! text that they are, so that none loses digits; objects and lists inside of a record are refused.

use super::lines::Lines;
use super::record::{Cell, Found, Record};
use std::collections::HashMap;
use std::io::BufRead;

/// Most columns of a file, before its keys count as data.
const MAX_COLUMNS: usize = crate::core::schema::MAX_FIELDS;

/// Reads records of NDJSON or of bulk lines.
pub(super) struct JsonReader<'p> {
    lines: Lines,
    actions: bool,
    columns: Columns<'p>,
    scanner: Scanner,
}

/// The file's columns: those that come up, in the order in which they were first seen, or those that a table has.
#[derive(Default)]
struct Columns<'p> {
    names: Vec<String>,
    places: HashMap<String, usize>,
    /// The table's places for names; none while the file decides.
    resolve: Option<(usize, Resolve<'p>)>,
}

/// The place of a name, where it has one.
type Resolve<'p> = Box<dyn Fn(&str) -> Option<usize> + 'p>;

impl<'p> JsonReader<'p> {
    /// Reads with the columns that come up.
    pub(super) fn new(reader: Box<dyn BufRead>, actions: bool) -> Self {
        Self { lines: Lines::new(reader), actions, columns: Columns::default(), scanner: Scanner::default() }
    }

    /// From here on, cells have the places that `resolve` gives their names, of which there are `count`; a name
    /// without a place makes a bad row.
    pub(super) fn resolve_by(&mut self, count: usize, resolve: impl Fn(&str) -> Option<usize> + 'p) {
        self.columns.resolve = Some((count, Box::new(resolve)));
    }

    /// The names so far.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns.names
    }

    /// Reads the next record.
    pub(super) fn next(&mut self, record: &mut Record) -> std::io::Result<Found> {
        let mut after_action = None;
        loop {
            let Some(text) = self.lines.next_line()? else {
                return Ok(
                    after_action.map_or(Found::End, |line| Found::Bad(line, "an action without a document".to_owned()))
                );
            };
            let blank = text.iter().all(u8::is_ascii_whitespace);
            let wants_action = self.actions && after_action.is_none();
            let action = wants_action && is_action(text);
            let line = self.lines.number();
            if blank {
                continue;
            }
            if action {
                after_action = Some(line);
                continue;
            }
            if wants_action {
                return Ok(Found::Bad(line, "is no action line of index or create".to_owned()));
            }
            record.reset(self.columns.count());
            let text = self.lines.raw();
            let text = super::lines::trimmed(text, line);
            return Ok(match self.scanner.object(text, &mut |key, cell| self.columns.set(record, key, cell)) {
                Ok(()) => Found::Record(line),
                Err(message) => Found::Bad(line, message),
            });
        }
    }
}

impl Columns<'_> {
    fn count(&self) -> usize {
        self.resolve.as_ref().map_or(self.names.len(), |(count, _)| *count)
    }

    fn set(&mut self, record: &mut Record, key: &str, cell: Cell<'_>) -> Result<(), String> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => self.add(key)?,
        };
        if record.get(place) != Cell::Null {
            return Err(format!("has a key twice: {key:?}"));
        }
        record.set(place, cell);
        Ok(())
    }

    /// The place of a name that is new.
    fn add(&mut self, key: &str) -> Result<usize, String> {
        if self.places.len() >= MAX_COLUMNS {
            return Err(format!("has a key beyond the {MAX_COLUMNS}th of the file: {key:?}"));
        }
        let place = match &self.resolve {
            None => {
                self.names.push(key.to_owned());
                self.names.len() - 1
            }
            Some((_, resolve)) => {
                resolve(key).ok_or_else(|| format!("has a key that is no column of the table: {key:?}"))?
            }
        };
        self.places.insert(key.to_owned(), place);
        Ok(place)
    }
}

/// Whether a line is an action of a bulk body that a document follows.
pub(super) fn is_action(line: &[u8]) -> bool {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line) else { return false };
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((key, value)), None) => matches!(key.as_str(), "index" | "create") && value.is_object(),
        _ => false,
    }
}

/// Scans one flat JSON object (RFC 8259).
#[derive(Default)]
struct Scanner {
    key: String,
    value: String,
}

type Set<'a> = dyn FnMut(&str, Cell<'_>) -> Result<(), String> + 'a;

impl Scanner {
    fn object(&mut self, text: &[u8], set: &mut Set<'_>) -> Result<(), String> {
        let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
        let mut cursor = Cursor { text, at: 0 };
        cursor.expect(b'{', "is no JSON object")?;
        if cursor.next_is(b'}') {
            return cursor.end();
        }
        loop {
            cursor.expect(b'"', "a key is missing")?;
            let key = cursor.string(&mut self.key)?;
            cursor.expect(b':', "a colon is missing")?;
            let cell = match cursor.peek() {
                Some(b'"') => {
                    cursor.at += 1;
                    Cell::Text(cursor.string(&mut self.value)?)
                }
                Some(b'{' | b'[') => {
                    return Err(format!("key {key:?}: holds an object or a list, but a column takes plain values"));
                }
                _ => cursor.literal().map_err(|message| format!("key {key:?}: {message}"))?,
            };
            set(key, cell)?;
            if cursor.next_is(b'}') {
                return cursor.end();
            }
            cursor.expect(b',', "a comma is missing")?;
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, message: &str) -> Result<(), String> {
        if self.next_is(byte) { Ok(()) } else { Err(format!("{message} at byte {}", self.at + 1)) }
    }

    fn end(&mut self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(format!("text follows the object at byte {}", self.at + 1)),
        }
    }

    /// A string whose opening quote was read; `buffer` holds it where it has escapes.
    fn string<'b>(&mut self, buffer: &'b mut String) -> Result<&'b str, String>
    where
        'a: 'b,
    {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let stop = |text: &str| text.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        let unclosed = || "a string is not closed".to_owned();
        let plain = stop(rest).ok_or_else(unclosed)?;
        if rest.as_bytes().get(plain) == Some(&b'"') {
            self.at += plain + 1;
            return Ok(rest.get(..plain).unwrap_or_default());
        }
        buffer.clear();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = stop(rest).ok_or_else(unclosed)?;
            buffer.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain + 1;
            match rest.as_bytes().get(plain) {
                Some(b'"') => return Ok(buffer),
                Some(b'\\') => buffer.push(self.escape()?),
                _ => return Err(format!("a string holds a control character at byte {}", self.at)),
            }
        }
    }

    /// The character that an escape means; the backslash was read.
    fn escape(&mut self) -> Result<char, String> {
        let letter = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let wrong = || "a string holds an escape of half a character".to_owned();
                match self.hex()? {
                    high @ 0xd800..=0xdbff => {
                        let low = if self.text.get(self.at..self.at + 2) == Some("\\u") {
                            self.at += 2;
                            self.hex()?
                        } else {
                            0
                        };
                        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(wrong)?;
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + low).ok_or_else(wrong)?
                    }
                    code => char::from_u32(code).ok_or_else(wrong)?,
                }
            }
            _ => return Err(format!("a string holds an escape that JSON does not have at byte {}", self.at)),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        self.at += 4;
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| "a string holds an escape without four hex digits".to_owned())
    }

    /// A number, true, false or null.
    fn literal(&mut self) -> Result<Cell<'a>, String> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        self.at += end;
        match word {
            "null" => Ok(Cell::Null),
            "true" | "false" => Ok(Cell::Bare(word)),
            word if is_number(word) => Ok(Cell::Bare(word)),
            word => Err(format!("{:?} is no JSON value", word.chars().take(40).collect::<String>())),
        }
    }
}

/// `-? (0 | [1-9] digits) (. digits)? ([eE] [+-]? digits)?`
fn is_number(word: &str) -> bool {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = word.strip_prefix('-').unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = rest.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        let mut set = |key: &str, cell: Cell<'_>| {
            found.push((key.to_owned(), format!("{cell:?}")));
            Ok(())
        };
        Scanner::default().object(text.as_bytes(), &mut set)?;
        Ok(found)
    }

    proptest::proptest! {
        #[test]
        fn what_serde_json_writes_is_read(text in ".*", number in proptest::num::f64::NORMAL, int in proptest::num::i64::ANY) {
            let line = serde_json::json!({"t": text, "f": number, "i": int, "n": null, "b": true}).to_string();
            let found: HashMap<_, _> = scan(&line).map_err(proptest::test_runner::TestCaseError::fail)?.into_iter().collect();
            proptest::prop_assert_eq!(found.get("t"), Some(&format!("{:?}", Cell::Text(&text))));
            proptest::prop_assert_eq!(found.get("i"), Some(&format!("{:?}", Cell::Bare(&int.to_string()))));
            proptest::prop_assert_eq!(found.get("n").map(String::as_str), Some("Null"));
            proptest::prop_assert_eq!(found.get("b").map(String::as_str), Some("Bare(\"true\")"));
        }

        #[test]
        fn any_bytes_are_read_or_refused_as_serde_json_does(text in "[{}\\[\\]:,\"\\\\a-c0-2eE.+\\- ]{0,24}") {
            let flat = serde_json::from_str::<HashMap<String, serde_json::Value>>(&text);
            let plain = flat.is_ok_and(|members| members.values().all(|value| !value.is_object() && !value.is_array()));
            // Numbers that overflow a float are refused there and are a matter of the column's type here.
            if plain || !text.contains(['e', 'E']) {
                let same_key_twice = scan(&text).is_ok_and(|found| found.len() > 1);
                proptest::prop_assert!(scan(&text).is_ok() == plain || same_key_twice, "{}", text);
            }
        }
    }

    #[test]
    fn escapes_are_read_and_halves_refused() {
        assert_eq!(
            scan(r#"{"a\u00e9":"\ud83d\ude00\n\/"}"#).unwrap(),
            [("aé".to_owned(), "Text(\"😀\\n/\")".to_owned())]
        );
        for bad in [
            r#"{"a":"\ud83d"}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            "{\"a\":\"\t\"}",
            r#"{"a":01}"#,
            r#"{"a":1}x"#,
            r#"{"a":[1]}"#,
            "[]",
            "",
        ] {
            assert!(scan(bad).is_err(), "{bad}");
        }
    }
}
