//! What a change of a name brings about in the streams that use it.

use super::error::VersionsError;
use super::switch::Switched;
use crate::stream::{Streams, Swapped};
use serde::{Deserialize, Serialize};

/// What a name means now, and what came of it in the streams that use the plugin by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FollowedSwitch)]
pub struct Followed {
    /// The change.
    #[serde(flatten)]
    pub switched: Switched,
    /// The streams that took it over, or could not.
    pub streams: Vec<Swapped>,
}

/// Lets streams that are running or paused take over what a name means now: the version that is active, or the plugin that
/// ships. Where the name means nothing any more, they keep theirs.
///
/// # Errors
/// The database failed. The name means what it means all the same; enabling the version once more tries again.
pub fn follow(streams: &Streams, switched: Switched) -> Result<Followed, VersionsError> {
    let name = switched.name.as_str();
    let digest = switched.active.or_else(|| streams.host().registry.shipped(name));
    let swapped = digest.map(|digest| streams.swap_all(name, digest)).transpose()?;
    Ok(Followed { switched, streams: swapped.unwrap_or_default() })
}
