//! Rows of `user_activities`.

use telemill_sdk::{DictionaryColumn, F64Column, I64Column, Nullable, TextColumn, TimestampColumn, table};

use crate::inventory::Estate;
use crate::metrics::round;
use crate::sessions::{Activity, PAGES, TERMS};

table! {
    /// What users of the platform do.
    #[derive(Debug)]
    pub struct UserActivities("user_activities") {
        /// Unique: the session's number times 2^8, plus the position in the session.
        activity_id: I64Column,
        /// When.
        time: TimestampColumn,
        /// From one login to a logout, or to fifteen minutes without anything.
        session_id: I64Column,
        /// Who.
        user_id: I64Column,
        /// The site that the user works for or looks at.
        site_id: TextColumn,
        /// login, page_view, click, search or logout.
        action: DictionaryColumn,
        /// Where.
        page: DictionaryColumn,
        /// The terminal that it is about.
        device_id: Nullable<TextColumn>,
        /// What was searched for.
        search_term: Nullable<DictionaryColumn>,
        /// Since what the user did before; 0 at the login.
        think_time_ms: I64Column => "ms",
        /// Until the page stood.
        load_time_ms: F64Column => "ms",
        /// The incident that slowed it down.
        incident_id: Nullable<DictionaryColumn>,
    }
    time_field: "time",
    primary_key: ["activity_id"],
    // People do what they do, however long they wait for it.
    moved_by: {
        "": [
            activity_id, time, session_id, user_id, site_id, action, page, device_id, search_term, think_time_ms,
        ],
        "api_latency": [load_time_ms],
    },
}

/// Makes the rows of one shard.
#[derive(Debug)]
pub struct ActivityLog {
    /// The rows so far.
    pub rows: UserActivities,
}

impl ActivityLog {
    /// A log without rows.
    pub fn new() -> Self {
        let mut rows = UserActivities::default();
        rows.action.set_values(["login", "page_view", "click", "search", "logout"]);
        rows.page.set_values(PAGES);
        rows.search_term.inner_mut().set_values(TERMS);
        Self { rows }
    }

    /// Adds what a user did, with how long the user waited for it.
    pub fn push(&mut self, activity: &Activity, load_time_ms: f64, incident: Option<usize>, estate: &Estate) {
        let rows = &mut self.rows;
        rows.activity_id.push((activity.session << 8) | i64::from(activity.number));
        rows.time.push(activity.t);
        rows.session_id.push(activity.session);
        rows.user_id.push(activity.user);
        rows.site_id.push_str(estate.sites.get(activity.site).map_or("", |site| site.id.as_str()));
        rows.action.push(activity.action as u32);
        rows.page.push(activity.page as u32);
        let terminal = activity.terminal.and_then(|at| estate.terminals.get(at));
        rows.device_id.push_option(terminal.map(|terminal| terminal.id.as_str()));
        rows.search_term.push_option(activity.term);
        rows.think_time_ms.push(activity.think_ms);
        rows.load_time_ms.push(round(load_time_ms));
        rows.incident_id.push_option(incident.map(|incident| incident as u32));
    }
}

impl Default for ActivityLog {
    fn default() -> Self {
        Self::new()
    }
}
