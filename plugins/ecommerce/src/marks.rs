//! Which rows are marked with which incident, as the dictionaries of one batch know them.

use telemill_sdk::Effects;

use crate::operations::Mark;

/// The incidents of one batch, in the order in which rows met them.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    known: Vec<usize>,
    ids: Vec<String>,
}

impl Marks {
    /// Values of the column `phase`.
    pub const PHASES: [&'static str; 3] = ["normal", "incident", "recovery"];

    /// The key of a marked row's phase.
    pub fn phase(mark: &Mark) -> u32 {
        if mark.recovering { 2 } else { 1 }
    }

    /// The key of an incident.
    pub fn key(&mut self, incident: usize, effects: &Effects) -> u32 {
        let at = self.known.iter().position(|known| *known == incident).unwrap_or_else(|| {
            self.known.push(incident);
            self.ids.push(effects.id(incident).to_owned());
            self.known.len() - 1
        });
        at as u32
    }

    /// The ids in the order of their keys; never empty, since a key must name a value even under a null.
    pub fn take_ids(&mut self) -> Vec<String> {
        self.known.clear();
        let mut ids = std::mem::take(&mut self.ids);
        if ids.is_empty() {
            ids.push(String::new());
        }
        ids
    }
}
