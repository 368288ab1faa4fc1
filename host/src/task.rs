//! What commands and the steps of pipelines do, as values: made from flags or read from a file, and done on a data
//! folder that is open.
//!
//! A task knows neither the command line nor schedules. It is done on a thread that runs no async tasks. What can be stopped
//! in the midst looks at a [`Cancel`](crate::run::Cancel).

mod clean;
mod drop;
mod error;
mod export;
mod generate;
mod ingest;
mod load;
mod preview;
mod rows;
mod token;
mod validate;

pub use clean::Clean;
pub use drop::{Dropped, drop_dataset};
pub use error::TaskError;
pub use export::Export;
pub use generate::Generate;
pub use ingest::Ingest;
pub use load::{Load, Loaded};
pub use preview::{Form, Preview};
pub use rows::{Batches, LakeRows, RowSource};
pub use token::{MadeToken, create_token, revoke_token};
pub use validate::Validate;

use crate::plugin;
use crate::sink::profile::Profile;
use serde::{Deserialize, Deserializer, de};
use std::fmt::Display;
use std::str::FromStr;

/// The export profiles that are named, by path or by the name of one that ships.
///
/// # Errors
/// There is none of that name, or it can't be used.
pub fn profiles(names: &[String]) -> Result<Vec<Profile>, TaskError> {
    let read = |name: &String| {
        let text = plugin::named_text("profile", name, plugin::profiles())?;
        Ok(Profile::parse(&text, name)?)
    };
    names.iter().map(read).collect()
}

/// Reads a value that has a text form.
fn from_text<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr,
    T::Err: Display,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

/// `DATASET.TABLE` as its two parts.
///
/// # Errors
/// There is no dot in it.
pub fn table_of(name: &str) -> Result<(&str, &str), TaskError> {
    name.split_once('.').ok_or_else(|| TaskError::Table(name.to_owned()))
}
