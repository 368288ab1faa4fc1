//! Lists in pages: newest first, with a cursor that is the last item's id.

pub(super) use crate::api::Page;

use super::error::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

/// Items of a page where nobody says.
const DEFAULT_LIMIT: u32 = 50;
/// Most items of a page.
const MAX_LIMIT: u32 = 1_000;

/// Which page is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Items at most, 1 to 1,000; 50 where it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    pub(super) cursor: Option<String>,
}

impl PageQuery {
    /// How many items at most.
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            limit => Err(Problem::bad_field("limit", format!("must be 1 to {MAX_LIMIT}, not {limit}"))),
        }
    }

    /// The cursor, parsed.
    pub(super) fn before<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let parse =
            |cursor: &String| cursor.parse().map_err(|error: T::Err| Problem::bad_field("cursor", error.to_string()));
        self.cursor.as_ref().map(parse).transpose()
    }
}

impl<T> Page<T> {
    /// The page of these `items`, of which one more than `limit` was looked for.
    pub(super) fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}
