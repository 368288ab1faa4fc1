//! One snapshot: how many machines of each group are online, and which incident changed a group's count most.

use telemill_sdk::{Timestamp, Window};

use crate::fleet::Fleet;
use crate::reports::{Reports, Standing};
use crate::segments::Groups;
use crate::signals::Trouble;

/// The counts of one instant. It keeps its room for the next one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    counts: Vec<u32>,
    /// What incidents changed: group, incident's number, machines more or less.
    changes: Vec<(u32, usize, i64)>,
    /// The incident to blame for a group, sorted by group.
    blamed: Vec<(u32, usize)>,
}

impl Snapshot {
    /// Counts the machines that are online at an instant.
    pub fn take(&mut self, fleet: &Fleet, reports: &Reports, groups: &Groups, t: Timestamp, trouble: &Trouble<'_>) {
        self.counts.clear();
        self.counts.resize(groups.groups.len(), 0);
        self.changes.clear();
        let seen = Window::new(t - reports.window(), t + 1);
        for (index, device) in fleet.devices.iter().enumerate() {
            if device.installed() > t {
                continue;
            }
            let normal = reports.standing(fleet, index, t, &Trouble::NONE);
            let standing =
                if trouble.touches(fleet, index, seen) { reports.standing(fleet, index, t, trouble) } else { normal };
            if standing.online {
                for group in groups.of(index, standing.faulty) {
                    if let Some(count) = self.counts.get_mut(group as usize) {
                        *count += 1;
                    }
                }
            }
            if standing != normal
                && let Some(blame) = reports.blame(fleet, index, t, trouble)
            {
                self.change(groups, index, normal, standing, blame.incident);
            }
        }
        self.settle(trouble);
    }

    /// Notes the groups that an incident took a machine out of, and those that it brought it into.
    fn change(&mut self, groups: &Groups, index: usize, normal: Standing, standing: Standing, incident: usize) {
        let left = groups.of(index, normal.faulty).map(|group| (group, -i64::from(normal.online)));
        let joined = groups.of(index, standing.faulty).map(|group| (group, i64::from(standing.online)));
        let moved = left.chain(joined).filter(|(_, machines)| *machines != 0);
        self.changes.extend(moved.map(|(group, machines)| (group, incident, machines)));
    }

    /// Finds for each group the incident that changed its count most; of equals, the one with the smaller id.
    fn settle(&mut self, trouble: &Trouble<'_>) {
        self.blamed.clear();
        self.changes.sort_unstable();
        let mut most: Option<(u32, usize, u64)> = None;
        for same in self.changes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let Some(&(group, incident, _)) = same.first() else { continue };
            let by = same.iter().map(|change| change.2).sum::<i64>().unsigned_abs();
            if by == 0 {
                continue;
            }
            let worse = most.is_none_or(|(known, other, amount)| {
                known != group || by > amount || (by == amount && trouble.id(incident) < trouble.id(other))
            });
            if worse {
                if most.is_some_and(|(known, ..)| known == group) {
                    self.blamed.pop();
                }
                self.blamed.push((group, incident));
                most = Some((group, incident, by));
            }
        }
    }

    /// Machines online of a group.
    pub fn count(&self, group: usize) -> u32 {
        self.counts.get(group).copied().unwrap_or(0)
    }

    /// The number of the incident that changed a group's count most.
    pub fn blame(&self, group: usize) -> Option<usize> {
        let at = self.blamed.binary_search_by_key(&(group as u32), |(group, _)| *group).ok()?;
        self.blamed.get(at).map(|(_, incident)| *incident)
    }
}
