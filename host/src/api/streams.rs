//! Streams: incidents by hand.

use crate::core::incident::Incident;
use crate::run::PlannedIncident;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An incident that was made by hand, or that follows from it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Triggered {
    /// The incident model.
    pub model: String,
    /// The incident.
    pub incident: Incident,
}

impl From<PlannedIncident> for Triggered {
    fn from(planned: PlannedIncident) -> Self {
        Self { model: planned.model, incident: planned.incident }
    }
}
