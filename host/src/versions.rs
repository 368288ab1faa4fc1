//! Versions of plugins: how they come into a data folder, which of them a name means, and how they leave.
//!
//! A version is a component, told by its digest. Installing one checks it and keeps it, and changes nothing else; enabling it
//! makes its name mean it. Runs keep the digests that they were planned with; streams take it over ([`follow`]). Knows
//! neither command line nor HTTP.

mod compare;
mod error;
mod follow;
mod image;
mod install;
mod resolve;
mod source;
mod switch;
mod test;
mod watch;

pub use compare::{Comparing, Comparison, Side, TableComparison, compare};
pub use error::VersionsError;
pub use follow::{Followed, follow};
pub use image::{Image, push};
pub use install::{Installed, install};
pub use resolve::{Listing, State, Stated, list, listing, names, names_of_file, version};
pub use source::{Found, Source};
pub use switch::{Removed, Switched, disable, enable, remove, rollback};
pub use test::{CHECK_S, Records, Testing, check_options, test};
pub use watch::{Watch, watch};
