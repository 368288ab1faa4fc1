//! What each kind of incident does: a recipe of effects, and of what it brings about. Knows nothing of days.

use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{Attribute, Effect, Incident, Kind, Operation, Role, Severity, Stream, Target, Timestamp, Window};

use crate::config::Config;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// A device stops reporting.
    TerminalOffline,
    /// A site's network is down.
    SiteNetworkDown,
    /// A configuration that does not work was rolled out.
    FailedRollout,
    /// The platform's API is slow.
    SlowApi,
    /// A device's disk fills up.
    DiskFilling,
}

impl Outage {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::TerminalOffline, Self::SiteNetworkDown, Self::FailedRollout, Self::SlowApi, Self::DiskFilling];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::TerminalOffline => "terminal-offline",
            Self::SiteNetworkDown => "site-network-down",
            Self::FailedRollout => "failed-rollout",
            Self::SlowApi => "slow-api",
            Self::DiskFilling => "disk-filling",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As the contract tells it.
    pub fn kind(self) -> Kind {
        let summary = match self {
            Self::TerminalOffline => "A device stops reporting: its power or its line is gone",
            Self::SiteNetworkDown => "A site's network is down: none of its devices reports, its staff can't work",
            Self::FailedRollout => {
                "A configuration that does not work: errors and failed jobs on the devices that got it"
            }
            Self::SlowApi => "The platform's API answers late, and some calls in vain",
            Self::DiskFilling => "A device's disk fills up by and by, until it can't write any more",
        };
        Kind { name: self.name().to_owned(), summary: summary.to_owned() }
    }

    /// How often it happens in relation to the others.
    pub fn weight(self) -> f64 {
        match self {
            Self::TerminalOffline => 38.0,
            Self::SiteNetworkDown => 14.0,
            Self::FailedRollout => 14.0,
            Self::SlowApi => 16.0,
            Self::DiskFilling => 18.0,
        }
    }

    /// The role of the targets that it strikes, and the signal that they must have.
    fn strikes(self) -> (&'static str, &'static str) {
        match self {
            Self::TerminalOffline => ("terminal", "packet_loss"),
            Self::SiteNetworkDown => ("site", "packet_loss"),
            Self::FailedRollout => ("rollout-group", "device_errors"),
            Self::SlowApi => ("service", "api_latency"),
            Self::DiskFilling => ("terminal", "disk"),
        }
    }

    /// The targets that it can strike, by their position.
    pub fn candidates(self, targets: &[Target]) -> Vec<usize> {
        let (role, signal) = self.strikes();
        let fits = |target: &Target| {
            attribute(target, "role") == Some(role) && target.signals.iter().any(|known| known == signal)
        };
        targets.iter().enumerate().filter(|(_, target)| fits(target)).map(|(at, _)| at).collect()
    }
}

/// The value of a target's attribute.
pub fn attribute<'a>(target: &'a Target, name: &str) -> Option<&'a str> {
    target.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

/// When an incident's effects come and go.
#[derive(Clone, Copy, Debug)]
struct Course {
    start: Timestamp,
    full: Timestamp,
    release: Timestamp,
    end: Timestamp,
}

/// Writes incidents on the targets of a system.
#[derive(Clone, Copy, Debug)]
pub struct Recipes<'a> {
    /// Settings.
    pub config: &'a Config,
    /// The system.
    pub targets: &'a [Target],
}

/// Of outages of a site's network, so many leave a device behind that does not come back by itself.
const LEFT_BEHIND: f64 = 0.5;
/// Of failed roll-outs, so many fill a device's disk with crash dumps.
const CRASH_DUMPS: f64 = 0.4;
/// Of full disks, so many stop their device.
const STOPS: f64 = 0.4;

impl Recipes<'_> {
    /// An incident of a kind on a target over a window, and those that it brings about; with its id and that of its cause.
    pub fn write(
        &self,
        outage: Outage,
        target: &str,
        window: Window,
        (id, cause): (&str, Option<&str>),
        stream: &mut Stream,
    ) -> Vec<Incident> {
        let recovery = (self.config.recovery_minutes.at(stream.unit()) * MINUTE as f64) as i64 / SECOND * SECOND;
        let length = window.micros();
        // A line is cut within seconds; an overload builds up; a disk fills up for most of the time.
        let (ramp, most) = match outage {
            Outage::TerminalOffline | Outage::SiteNetworkDown => (15 + stream.below(30) as i64, length / 3),
            Outage::FailedRollout | Outage::SlowApi => (30 + stream.below(90) as i64, length / 3),
            Outage::DiskFilling => (i64::MAX / SECOND, length * 7 / 10),
        };
        let full = window.start + (ramp * SECOND).min(most) / SECOND * SECOND;
        let course = Course { start: window.start, full, release: window.end, end: window.end + recovery };
        let mut draft = Draft { targets: self.targets, target, effects: Vec::new() };
        let mut others = Vec::new();
        let severity = match outage {
            Outage::TerminalOffline => {
                draft.add(course, "packet_loss", Operation::Set, 1.0);
                Severity::Medium
            }
            Outage::SiteNetworkDown => {
                draft.add(course, "packet_loss", Operation::Set, 1.0);
                if self.config.cascades && stream.chance(LEFT_BEHIND) {
                    let after = Window::new(window.end - MINUTE.min(length / 2), window.end + length.max(10 * MINUTE));
                    others = self.below(Outage::TerminalOffline, after, (target, id), stream);
                }
                Severity::Critical
            }
            Outage::FailedRollout => {
                draft.add(course, "device_errors", Operation::Offset, self.config.rollout_errors.at(stream.unit()));
                draft.add(course, "job_failures", Operation::Offset, stream.between(0.35, 0.6));
                draft.add(course, "cpu", Operation::Scale, stream.between(1.3, 1.9));
                draft.add(course, "memory", Operation::Scale, stream.between(1.05, 1.2));
                if self.config.cascades && stream.chance(CRASH_DUMPS) {
                    let after = Window::new(window.start + length / 3 / SECOND * SECOND, window.end + length);
                    others = self.below(Outage::DiskFilling, after, (target, id), stream);
                }
                Severity::High
            }
            Outage::SlowApi => {
                draft.add(course, "api_latency", Operation::Scale, self.config.slowdown.at(stream.unit()));
                draft.add(course, "api_errors", Operation::Offset, stream.between(0.02, 0.08));
                Severity::High
            }
            Outage::DiskFilling => {
                draft.add(course, "disk", Operation::Set, stream.between(97.0, 100.0));
                // Errors begin when it is full.
                let full = Course { start: course.full, ..course };
                draft.add(full, "device_errors", Operation::Offset, stream.between(0.5, 2.0));
                if self.config.cascades && stream.chance(STOPS) {
                    let stops = course.full + (course.release - course.full) / 2 / SECOND * SECOND;
                    let stopped = Window::new(stops, window.end.max(stops + MINUTE));
                    let next = format!("{id}-A");
                    others = self.write(Outage::TerminalOffline, target, stopped, (&next, Some(id)), stream);
                }
                Severity::Medium
            }
        };
        draft.finish(id, outage, severity, cause).into_iter().chain(others).collect()
    }

    /// What an incident on a site or a group brings about on one of its devices, with the names of both.
    fn below(
        &self,
        outage: Outage,
        window: Window,
        (parent, cause): (&str, &str),
        stream: &mut Stream,
    ) -> Vec<Incident> {
        let candidates: Vec<&Target> = outage
            .candidates(self.targets)
            .into_iter()
            .filter_map(|at| self.targets.get(at))
            .filter(|target| target.parents.iter().any(|name| name == parent))
            .collect();
        match candidates.get(stream.below(candidates.len() as u64) as usize) {
            Some(target) => self.write(outage, &target.name, window, (&format!("{cause}-A"), Some(cause)), stream),
            None => Vec::new(),
        }
    }
}

/// An incident under way.
struct Draft<'a> {
    targets: &'a [Target],
    target: &'a str,
    effects: Vec<Effect>,
}

impl Draft<'_> {
    /// Adds an effect, unless neither the target nor what belongs to it has the signal.
    fn add(&mut self, course: Course, signal: &str, operation: Operation, value: f64) {
        let concerned =
            |target: &&Target| target.name == self.target || target.parents.iter().any(|name| name == self.target);
        let known = self.targets.iter().filter(concerned).any(|target| target.signals.iter().any(|s| s == signal));
        if known {
            self.effects.push(Effect {
                target: self.target.to_owned(),
                signal: signal.to_owned(),
                operation,
                value,
                start: course.start,
                full: course.full,
                release: course.release,
                end: course.end,
            });
        }
    }

    fn finish(self, id: &str, outage: Outage, severity: Severity, cause: Option<&str>) -> Option<Incident> {
        let (window, recovered) = Incident::span_of(&self.effects)?;
        let title = match outage {
            Outage::TerminalOffline => format!("{} stops reporting", self.target),
            Outage::SiteNetworkDown => format!("the network of {} is down", self.target),
            Outage::FailedRollout => format!("a configuration that does not work was rolled out to {}", self.target),
            Outage::SlowApi => format!("{} answers late", self.target),
            Outage::DiskFilling => format!("the disk of {} fills up", self.target),
        };
        Some(Incident {
            id: id.to_owned(),
            kind: outage.name().to_owned(),
            role: Role::Incident,
            title,
            severity,
            cause: cause.map(str::to_owned),
            window,
            recovered,
            effects: self.effects,
            attributes: vec![Attribute::new("target", self.target)],
        })
    }
}
