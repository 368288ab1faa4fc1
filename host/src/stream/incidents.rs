//! The incidents that a stream knows: which of them the ground truth shows already, and which are over; and those by
//! hand.

use super::error::StreamError;
use crate::core::id::StreamId;
use crate::core::incident::Incident;
use crate::core::problem::Problem;
use crate::core::time::{DAY_US, Length, Timestamp};
use crate::run::{MAX_INCIDENTS, PlannedIncident, RunError};
use crate::store::StreamIncident;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// How long after its end an incident may still be named as a cause.
const REMEMBERED_US: i64 = 2 * DAY_US;

/// An incident by hand, as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The plugin among the stream's incident models that makes it.
    pub model: String,
    /// One of the model's kinds.
    pub kind: String,
    /// One of the generator's targets.
    pub target: String,
    /// When it starts, by the simulated clock. Default with the next segment.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// How long it lasts, recovery apart, such as 20m.
    #[schema(value_type = String)]
    pub length: Length,
}

/// Incidents in the order in which they became known.
#[derive(Debug, Default)]
pub(super) struct Known {
    incidents: Vec<(PlannedIncident, bool)>,
    ids: BTreeSet<String>,
}

impl Known {
    /// Incidents that were over at this time are not needed at `position` any more.
    pub(super) fn needed_after(position: Timestamp) -> Timestamp {
        position.plus_us(-REMEMBERED_US)
    }

    /// Reads what is stored.
    pub(super) fn read(id: &StreamId, stored: Vec<StreamIncident>) -> Result<Self, StreamError> {
        let mut known = Self::default();
        for StreamIncident { incident_id, shown, incident, .. } in stored {
            let planned: PlannedIncident = serde_json::from_value(incident)
                .map_err(|error| StreamError::Record { id: id.clone(), message: error.to_string() })?;
            known.ids.insert(incident_id);
            known.incidents.push((planned, shown));
        }
        Ok(known)
    }

    /// Takes over new incidents, by start and id; a cause that nobody knows is not named.
    pub(super) fn add(&mut self, mut news: Vec<PlannedIncident>) -> Result<Vec<PlannedIncident>, StreamError> {
        news.sort_by(|a, b| (a.incident.window.start, &a.incident.id).cmp(&(b.incident.window.start, &b.incident.id)));
        for PlannedIncident { model, incident, .. } in &news {
            let wrong = if !self.ids.insert(incident.id.clone()) {
                "the id is given twice in one stream"
            } else if self.incidents.len() + news.len() > MAX_INCIDENTS {
                "there are too many incidents at a time"
            } else {
                continue;
            };
            let problems = vec![Problem::new(format!("incident {}", incident.id), wrong)];
            return Err(RunError::Incidents { model: model.clone(), problems }.into());
        }
        for PlannedIncident { incident, .. } in &mut news {
            incident.cause = incident.cause.take().filter(|cause| self.ids.contains(cause));
        }
        self.incidents.extend(news.iter().map(|planned| (planned.clone(), false)));
        Ok(news)
    }

    /// New incidents as records; those that start before `shown_before` are going to be shown with them.
    pub(super) fn records(
        news: &[PlannedIncident],
        shown_before: Timestamp,
    ) -> Result<Vec<StreamIncident>, StreamError> {
        let record = |planned: &PlannedIncident| {
            let incident = serde_json::to_value(planned)
                .map_err(|error| StreamError::Spec { key: "incident".to_owned(), message: error.to_string() })?;
            Ok(StreamIncident {
                incident_id: planned.incident.id.clone(),
                start: planned.incident.window.start,
                recovered: planned.incident.recovered,
                shown: planned.incident.window.start < shown_before,
                incident,
            })
        };
        news.iter().map(record).collect()
    }

    /// The incidents alone, as generators take them.
    pub(super) fn bare(&self) -> Vec<Incident> {
        self.incidents.iter().map(|(planned, _)| planned.incident.clone()).collect()
    }

    /// Those that have begun before `end` and are not shown yet, by start and id.
    pub(super) fn begun(&self, end: Timestamp) -> Vec<PlannedIncident> {
        let begun = self.incidents.iter().filter(|(planned, shown)| !shown && planned.incident.window.start < end);
        let mut begun: Vec<_> = begun.map(|(planned, _)| planned.clone()).collect();
        begun.sort_by(|a, b| (a.incident.window.start, &a.incident.id).cmp(&(b.incident.window.start, &b.incident.id)));
        begun
    }

    /// Those that have begun before `end` are shown.
    pub(super) fn show(&mut self, end: Timestamp) {
        for (planned, shown) in &mut self.incidents {
            *shown = *shown || planned.incident.window.start < end;
        }
    }

    /// How many are not needed at `position` any more.
    pub(super) fn over(&self, position: Timestamp) -> usize {
        let bound = Self::needed_after(position);
        self.incidents.iter().filter(|(planned, _)| planned.incident.recovered <= bound).count()
    }

    /// Lets go of those that are not needed at `position` any more.
    pub(super) fn forget(&mut self, position: Timestamp) {
        let bound = Self::needed_after(position);
        self.incidents.retain(|(planned, _)| planned.incident.recovered > bound);
        self.ids = self.incidents.iter().map(|(planned, _)| planned.incident.id.clone()).collect();
    }
}
