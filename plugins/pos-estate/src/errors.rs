//! Rows of `error_logs`: calls of the API that failed, exceptions on terminals, terminals that are missed.

use telemill_sdk::{DictionaryColumn, I32Column, I64Column, Nullable, TextColumn, Timestamp, TimestampColumn, table};

use crate::endpoints::ENDPOINTS;
use crate::inventory::Estate;

table! {
    /// Errors that the platform and the terminals logged.
    #[derive(Debug)]
    pub struct ErrorLogs("error_logs") {
        /// Unique; that of a call of the API is the call's.
        error_id: I64Column,
        /// When it happened.
        time: TimestampColumn,
        /// api_timeout, validation_error, exception or device_unreachable.
        category: DictionaryColumn,
        /// warning, error or critical.
        level: DictionaryColumn,
        /// What it says.
        message: DictionaryColumn,
        /// The terminal that it happened on, or that it is about.
        device_id: Nullable<TextColumn>,
        /// The site of the terminal, or of the user.
        site_id: Nullable<TextColumn>,
        /// The path that was called.
        endpoint: Nullable<DictionaryColumn>,
        /// The call of the API that failed.
        request_id: Nullable<I64Column>,
        /// How often it happened at once.
        occurrences: I32Column,
        /// The incident to blame.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "time",
    primary_key: ["error_id"],
}

const CATEGORIES: [&str; 4] = ["api_timeout", "validation_error", "exception", "device_unreachable"];
const LEVELS: [&str; 3] = ["warning", "error", "critical"];

/// What there is to log: category, level, message. The keys of the three columns follow from the position.
const MESSAGES: [(u32, u32, &str); 11] = [
    (0, 1, "no answer from the API within 10 s"),
    (1, 0, "a field of the request has no valid value"),
    (1, 0, "the configuration does not fit the device's model"),
    (2, 1, "unhandled exception in the request handler"),
    (2, 1, "connection to the database was reset"),
    (2, 1, "card reader does not answer"),
    (2, 1, "receipt printer: paper jam"),
    (2, 1, "cash drawer: sensor fault"),
    (2, 2, "POS application ended unexpectedly and was started again"),
    (2, 1, "can't write to the local journal"),
    (3, 2, "no heartbeat from the device"),
];

/// A message by what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A call that took too long.
    Timeout,
    /// A call that makes no sense; one of two.
    Validation,
    /// A call that crashed; one of two.
    Crash,
    /// Something on a terminal; one of five.
    Terminal,
    /// A terminal that is missed.
    Missed,
}

impl Message {
    fn key(self, bits: u64) -> u32 {
        let among = |from: u32, of: u64| from + (((bits >> 40) * of) >> 24) as u32;
        match self {
            Self::Timeout => 0,
            Self::Validation => among(1, 2),
            Self::Crash => among(3, 2),
            Self::Terminal => among(5, 5),
            Self::Missed => 10,
        }
    }
}

/// One error.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// When.
    pub t: Timestamp,
    /// What it is about.
    pub message: Message,
    /// Random bits that choose among messages.
    pub bits: u64,
    /// The terminal.
    pub terminal: Option<usize>,
    /// The site.
    pub site: Option<usize>,
    /// The endpoint and the request that failed.
    pub request: Option<(usize, i64)>,
    /// How often.
    pub occurrences: i32,
    /// The incident.
    pub incident: Option<usize>,
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct ErrorLog {
    /// The rows so far.
    pub rows: ErrorLogs,
}

impl ErrorLog {
    /// A log without rows.
    pub fn new() -> Self {
        let mut rows = ErrorLogs::default();
        rows.category.set_values(CATEGORIES);
        rows.level.set_values(LEVELS);
        rows.message.set_values(MESSAGES.iter().map(|(_, _, message)| message));
        rows.endpoint.inner_mut().set_values(ENDPOINTS.iter().map(|endpoint| endpoint.path));
        Self { rows }
    }

    /// Adds an error.
    pub fn push(&mut self, entry: &Entry, estate: &Estate) {
        let key = entry.message.key(entry.bits);
        let (category, level, _) = MESSAGES.get(key as usize).copied().unwrap_or_default();
        let terminal = entry.terminal.and_then(|at| estate.terminals.get(at));
        let site = entry.site.and_then(|at| estate.sites.get(at));
        let rows = &mut self.rows;
        rows.error_id.push(entry.id);
        rows.time.push(entry.t);
        rows.category.push(category);
        rows.level.push(level);
        rows.message.push(key);
        rows.device_id.push_option(terminal.map(|terminal| terminal.id.as_str()));
        rows.site_id.push_option(site.map(|site| site.id.as_str()));
        rows.endpoint.push_option(entry.request.map(|(endpoint, _)| endpoint as u32));
        rows.request_id.push_option(entry.request.map(|(_, request)| request));
        rows.occurrences.push(entry.occurrences);
        rows.incident_id.push_option(entry.incident.map(|incident| incident as u32));
    }
}

impl Default for ErrorLog {
    fn default() -> Self {
        Self::new()
    }
}
