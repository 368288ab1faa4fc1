//! What a server says: the items of a bulk answer, and errors in their several shapes.

use super::MAX_REASON_CHARS;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// What became of one document.
#[derive(Debug)]
pub(super) struct Item {
    /// An HTTP status of its own.
    pub(super) status: u16,
    /// Why it was refused; none where it was accepted.
    pub(super) failure: Option<Failure>,
}

/// An error of a request or an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// Such as `mapper_parsing_exception`; empty where the server gives none.
    pub(super) kind: String,
    /// For people.
    pub(super) reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.as_str(), self.reason.as_str()) {
            ("", "") => f.write_str("no reason given"),
            ("", reason) => f.write_str(reason),
            (kind, reason) => write!(f, "{kind}: {reason}"),
        }
    }
}

impl Failure {
    /// Of the body of an answer: `{"error": {...}}`, `{"error": "text"}`, or whatever a proxy wrote.
    pub(super) fn of_body(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => value.get("error").map_or_else(Self::default, Self::of_value),
            Err(_) => Self { kind: String::new(), reason: shortened(&String::from_utf8_lossy(body)) },
        }
    }

    fn of_value(error: &Value) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let reason = match error.as_str() {
            Some(reason) => reason.to_owned(),
            // The outer reason of a mapping error only says that parsing failed; the cause says why.
            None => match error.pointer("/caused_by/reason").and_then(Value::as_str) {
                Some(cause) => format!("{}: {cause}", text("reason")),
                None => text("reason").to_owned(),
            },
        };
        Self { kind: text("type").to_owned(), reason: shortened(&reason) }
    }
}

fn shortened(text: &str) -> String {
    let mut characters = text.trim().chars();
    let start: String = characters.by_ref().take(MAX_REASON_CHARS).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

#[derive(Deserialize)]
struct BulkAnswer {
    items: Vec<serde_json::Map<String, Value>>,
}

/// The items of a bulk answer to `documents` documents, in their order.
pub(super) fn items(body: &[u8], documents: usize) -> Result<Vec<Item>, String> {
    let answer: BulkAnswer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if answer.items.len() != documents {
        return Err(format!("it has {} items for {documents} documents", answer.items.len()));
    }
    let item = |item: &serde_json::Map<String, Value>| {
        // The only key is the name of the action.
        let result = item.values().next().ok_or("an item is empty")?;
        let status = result.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let failure = result.get("error").map(Failure::of_value);
        Ok(Item { status: status.ok_or("an item has no status")?, failure })
    };
    answer.items.iter().map(item).collect::<Result<_, &str>>().map_err(str::to_owned)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_from_every_shape() {
        let failure = |body: &str| Failure::of_body(body.as_bytes()).to_string();
        assert_eq!(failure(r#"{"error":{"type":"a_exception","reason":"b"},"status":400}"#), "a_exception: b");
        assert_eq!(failure(r#"{"error":"no handler found"}"#), "no handler found");
        assert_eq!(failure("<html>Bad Gateway</html>"), "<html>Bad Gateway</html>");
        assert_eq!(failure("{}"), "no reason given");
        assert!(failure(&"x".repeat(10_000)).chars().count() <= MAX_REASON_CHARS + 1);
        let nested =
            r#"{"error":{"type":"m","reason":"failed to parse","caused_by":{"type":"n","reason":"For input string"}}}"#;
        assert_eq!(failure(nested), "m: failed to parse: For input string");
    }

    #[test]
    fn answers_must_have_an_item_for_each_document() {
        let body = br#"{"took":1,"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"t","reason":"r"}}}]}"#;
        let read = items(body, 2).unwrap();
        assert_eq!((read[0].status, read[1].status), (201, 400));
        assert_eq!(read[1].failure.clone().unwrap().kind, "t");
        for (body, documents) in
            [(&body[..], 3), (b"<html>", 1), (b"{}", 0), (br#"{"items":[{}]}"#, 1), (br#"{"items":[{"index":{}}]}"#, 1)]
        {
            assert!(items(body, documents).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }
}
