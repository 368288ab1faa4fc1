//! What a command or a pipeline's step changes in a spec that it names.

use super::spec::{PlacedIncident, PluginUse, RunSpec, SpecError};
use crate::core::document::json_or_text;
use crate::core::time::{Length, Timestamp, Window};
use crate::plugin;
use std::path::Path;

/// Values in the place of the spec's; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The dataset that is written.
    pub dataset: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
    /// The start of simulated time.
    pub start: Option<Timestamp>,
    /// How much time is simulated.
    pub duration: Option<Length>,
    /// The number of partitions.
    pub partitions: Option<u32>,
    /// Keys of plugins' configurations, as `PLUGIN.KEY=VALUE`.
    pub sets: Vec<String>,
}

impl RunSpec {
    /// A spec from a file, or the scenario that ships under this name.
    ///
    /// # Errors
    /// There is neither, and as [`RunSpec::read`].
    pub fn named(path: &Path) -> Result<Self, SpecError> {
        Self::named_with(path, Self::read)
    }

    /// The same for a spec that may have no end, as [`RunSpec::read_open_ended`].
    ///
    /// # Errors
    /// As [`RunSpec::named`].
    pub fn named_open_ended(path: &Path) -> Result<Self, SpecError> {
        Self::named_with(path, Self::read_open_ended)
    }

    fn named_with(path: &Path, read: fn(&Path) -> Result<Self, SpecError>) -> Result<Self, SpecError> {
        let name = path.to_string_lossy();
        if path.exists() {
            return read(path);
        }
        match plugin::scenario(&name) {
            Some(text) => Self::parse(text, false, &format!("scenario {name}")),
            None => {
                let shipped = plugin::scenarios().map(|(name, _)| name.to_owned()).collect();
                Err(SpecError::Unknown { name: name.into_owned(), shipped })
            }
        }
    }

    /// Puts other values in the place of the spec's.
    ///
    /// # Errors
    /// A key of a plugin that the spec does not use.
    pub fn change(&mut self, changes: &Changes) -> Result<(), SpecError> {
        if let Some(dataset) = &changes.dataset {
            self.dataset.clone_from(dataset);
        }
        self.seed = changes.seed.or(self.seed);
        self.start = changes.start.or(self.start);
        self.duration = changes.duration.unwrap_or(self.duration);
        self.partitions = changes.partitions.unwrap_or(self.partitions);
        // A segment longer than the run would only be cut.
        self.segment = self.segment.min(self.duration);
        if changes.start.is_some() || changes.duration.is_some() {
            self.leave_out_incidents();
        }
        changes.sets.iter().try_for_each(|set| self.set(set))
    }

    /// Leaves out the incidents by hand that a span that was changed does not hold, and says so: they were placed for the
    /// spec's own.
    pub fn leave_out_incidents(&mut self) {
        let Some(start) = self.start else { return };
        let span = Window::from_start(start, self.duration.micros());
        self.incident.retain(|incident| {
            let inside = Window::from_start(incident.start, incident.length.micros()).overlaps(&span);
            if !inside {
                let PlacedIncident { kind, target, start, .. } = incident;
                tracing::warn!("the incident {kind} of {target} at {start} is left out: the run now covers {span}");
            }
            inside
        });
    }

    /// Sets one key of one plugin's configuration: `PLUGIN.KEY=VALUE`, the value as JSON or as plain text.
    ///
    /// # Errors
    /// Another form, or a plugin that the spec does not use.
    pub fn set(&mut self, set: &str) -> Result<(), SpecError> {
        let bad = |message: String| SpecError::Set { set: set.to_owned(), message };
        let Some((slot, text)) = set.split_once('=').filter(|(slot, _)| slot.contains('.')) else {
            return Err(bad("write PLUGIN.KEY=VALUE".to_owned()));
        };
        let value = json_or_text(text);
        let mut known = Vec::new();
        let uses = std::iter::once(&mut self.generator).chain(&mut self.incident_models).chain(&mut self.validators);
        let mut found = false;
        for PluginUse { plugin, config } in uses {
            // A plugin that is named by its path has dots in its name.
            if let Some(key) = slot.strip_prefix(plugin.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                config.insert(key.to_owned(), value.clone());
                found = true;
            }
            known.push(plugin.clone());
        }
        if found {
            return Ok(());
        }
        Err(bad(format!("the spec uses no plugin of that name; it uses {}", known.join(", "))))
    }
}
