//! Which anomalies happen when. Each machine's day follows from seed, machine and date alone, whatever the span.

use telemill_sdk::range::Range;
use telemill_sdk::time::{DAY, Local, MINUTE, SECOND};
use telemill_sdk::{Error, Incident, Process, Stream, Target, Timestamp, Weighted, Window, hash};

use crate::config::Config;
use crate::kinds::Kinds;

const COUNT: Process = Process::named("anomalies of a machine's day");
const ANOMALY: Process = Process::named("anomaly");
const BACKUP: Process = Process::named("backup");
const BY_HAND: Process = Process::named("anomaly by hand");

/// Plans what goes wrong on the machines of one run.
#[derive(Clone, Debug)]
pub struct ResourceAnomalies {
    config: Config,
    seed: u64,
    targets: Vec<Target>,
    /// Positions of the targets that days strike: those of the role `machine`, or where a system tells no roles, all that have
    /// something to bend.
    machines: Vec<usize>,
    begins: Timestamp,
}

impl ResourceAnomalies {
    /// Opens a run.
    pub fn new(config: Config, seed: u64, span: Window, targets: Vec<Target>) -> Self {
        let able = |target: &Target| Kinds::ALL.iter().any(|kind| kind.fits(target));
        let machine = |target: &Target| target.attributes.iter().any(|a| a.name == "role" && a.value == "machine");
        let positions = |wanted: &dyn Fn(&Target) -> bool| -> Vec<usize> {
            targets.iter().enumerate().filter(|(_, target)| able(target) && wanted(target)).map(|(at, _)| at).collect()
        };
        let mut machines = positions(&machine);
        if machines.is_empty() {
            machines = positions(&|_| true);
        }
        Self { config, seed, targets, machines, begins: span.start }
    }

    /// What starts within one UTC day on any machine.
    pub fn day(&self, day: Window) -> Vec<Incident> {
        let number = day.start.div_euclid(DAY);
        let (year, month, date) = Local { day: number, weekday: 0, micros: 0 }.date();
        let date = format!("{year:04}{month:02}{date:02}");
        let mut all = Vec::new();
        for (machine, target) in self.machines.iter().filter_map(|at| Some((*at as u64, self.targets.get(*at)?))) {
            let anomalies = self.count(self.config.anomalies_per_machine_day, machine * 2, number);
            for n in 0..anomalies {
                let mut stream = Stream::of(self.seed, ANOMALY, hash(n, ANOMALY, machine, 0), number);
                let window = self.place(day, n, anomalies, &mut stream);
                let id = format!("ANO-{date}-{}-{}", target.name, n + 1);
                all.extend(self.anomaly(target, window, &id, &mut stream));
            }
            let backups = self.count(self.config.backups_per_machine_day, machine * 2 + 1, number);
            for n in 0..backups {
                let mut stream = Stream::of(self.seed, BACKUP, hash(n, BACKUP, machine, 0), number);
                let window = self.place(day, n, backups, &mut stream);
                let id = format!("BACKUP-{date}-{}-{}", target.name, n + 1);
                if Kinds::Backup.fits(target) {
                    all.extend(Kinds::Backup.strike(target, window, &id, &mut stream));
                }
            }
        }
        // Nothing began before the run did.
        all.retain(|incident| incident.window.start >= self.begins);
        all
    }

    fn anomaly(&self, target: &Target, window: Window, id: &str, stream: &mut Stream) -> Option<Incident> {
        let weights = self.config.weights.all();
        let possible: Vec<f64> =
            Kinds::ANOMALIES.iter().zip(weights).map(|(kind, w)| if kind.fits(target) { w } else { 0.0 }).collect();
        if possible.iter().all(|weight| *weight == 0.0) {
            return None;
        }
        let kind = Kinds::ANOMALIES.get(Weighted::new(&possible).draw(stream))?;
        kind.strike(target, window, id, stream)
    }

    /// How many of something a machine's day has: a whole number within the range, a fraction by chance.
    fn count(&self, range: Range, what: u64, day: i64) -> u64 {
        let mut stream = Stream::of(self.seed, COUNT, what, day);
        let wanted = range.at(stream.unit());
        wanted.floor() as u64 + u64::from(stream.chance(wanted.fract()))
    }

    /// A window in the n-th of equal parts of a day, on whole seconds.
    fn place(&self, day: Window, n: u64, of: u64, stream: &mut Stream) -> Window {
        let part = day.micros() / of.max(1) as i64;
        let length = (self.config.duration_minutes.at(stream.unit()) * MINUTE as f64) as i64 / SECOND * SECOND;
        let free = (part - length).max(0);
        let start: Timestamp = day.start + part * n as i64 + (free as f64 * stream.unit()) as i64;
        let start = start.div_euclid(SECOND) * SECOND;
        Window::new(start, start + length)
    }

    /// One incident by hand.
    ///
    /// # Errors
    /// Where there is no such kind or target, or the target has none of the kind's signals.
    pub fn by_hand(&self, kind: &str, target: &str, window: Window) -> Result<Vec<Incident>, Error> {
        let wanted = Kinds::named(kind).ok_or_else(|| {
            Error::failed(format!("there is no kind {kind:?}; kinds are {}", Kinds::ALL.map(Kinds::name).join(", ")))
        })?;
        let place = self.targets.iter().find(|known| known.name == target).ok_or_else(|| {
            Error::failed(format!("there is no target {target:?}; a machine is one, such as user_001"))
        })?;
        if window.micros() < SECOND {
            return Err(Error::failed("an incident lasts a second at least"));
        }
        let name = telemill_sdk::random::hash_bytes(0, format!("{kind}/{target}").as_bytes());
        let key = hash(self.seed, BY_HAND, name, window.start);
        let mut stream = Stream::of(key, BY_HAND, 0, window.end);
        wanted
            .strike(place, window, &format!("HAND-{:08x}", key as u32), &mut stream)
            .map(|incident| vec![incident])
            .ok_or_else(|| Error::failed(format!("target {target:?} has none of the signals that {kind} bends")))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use telemill_sdk::native::{incidents, trigger};
    use telemill_sdk::time::HOUR;
    use telemill_sdk::{Attribute, Role};

    use super::*;

    const MONDAY: i64 = 1_794_182_400 * SECOND;
    const WEEK: Window = Window::new(MONDAY, MONDAY + 7 * DAY);

    fn targets(roles: bool) -> Vec<Target> {
        let signals =
            ["cpu", "memory", "disk_read", "disk_write", "network_sent", "network_recv"].map(str::to_owned).to_vec();
        (1..=20)
            .map(|n| Target {
                name: format!("user_{n:03}"),
                parents: vec!["users".to_owned()],
                signals: signals.clone(),
                attributes: if roles { vec![Attribute::new("role", "machine")] } else { Vec::new() },
            })
            .chain([Target {
                name: "users".to_owned(),
                parents: Vec::new(),
                signals: signals.clone(),
                attributes: vec![Attribute::new("role", "users")],
            }])
            .collect()
    }

    fn planned(config: &str, span: Window) -> Vec<Incident> {
        incidents::<ResourceAnomalies>(config, 42, span, targets(true)).unwrap()
    }

    #[test]
    fn machines_have_their_number_of_anomalies_and_all_kinds_happen() {
        let all = planned("{}", WEEK);
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        let mut machines: BTreeMap<&str, usize> = BTreeMap::new();
        for incident in &all {
            *kinds.entry(&incident.kind).or_default() += 1;
            if incident.role == Role::Incident {
                *machines.entry(&incident.effects[0].target).or_default() += 1;
                let minutes = incident.window.micros() as f64 / MINUTE as f64;
                assert!((3.9..=15.0).contains(&minutes) && incident.recovered > incident.window.end, "{minutes}");
            }
        }
        assert!(machines.len() == 20 && machines.values().all(|n| *n == 21), "{machines:?}");
        assert_eq!(kinds.len(), 5);
        assert!(kinds["cpu-spike"] > kinds["disk-thrash"], "{kinds:?}");
        assert!((14..50).contains(&kinds["backup"]), "{kinds:?}");
        let ids: BTreeSet<&str> = all.iter().map(|incident| incident.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
    }

    #[test]
    fn a_day_follows_from_its_date_alone() {
        let all = planned("{}", WEEK);
        let short = planned("{}", Window::new(MONDAY, MONDAY + 2 * DAY));
        assert_eq!(short[..], all[..short.len()]);
        // Machines do not all suffer at once: starts of the first anomaly differ.
        let starts: BTreeSet<i64> =
            all.iter().filter(|i| i.id.contains("20261109") && i.id.ends_with("-1")).map(|i| i.window.start).collect();
        assert!(starts.len() >= 20);
        let late = Window::new(MONDAY + DAY / 2, MONDAY + DAY);
        assert!(planned("{}", late).iter().all(|incident| late.contains(incident.window.start)));
    }

    #[test]
    fn anomalies_are_spread_over_the_day() {
        let all = planned(r#"{"backups_per_machine_day": 0}"#, Window::new(MONDAY, MONDAY + 30 * DAY));
        let mut hours = [0.0; 24];
        all.iter().for_each(|i| hours[(i.window.start.rem_euclid(DAY) / HOUR) as usize] += 1.0);
        assert!(hours.iter().all(|n| (40.0..110.0).contains(n)), "{hours:?}");
    }

    #[test]
    fn systems_without_roles_are_found_by_their_signals() {
        let nameless: Vec<Target> =
            targets(false).into_iter().map(|t| Target { attributes: Vec::new(), ..t }).collect();
        let all = incidents::<ResourceAnomalies>("{}", 1, WEEK, nameless).unwrap();
        assert!(all.iter().any(|incident| incident.effects[0].target == "users"));
        let weights = r#"{"weights": {"cpu_spike": 0, "memory_leak": 1, "disk_thrash": 0, "network_saturation": 0}}"#;
        let leaks = planned(weights, WEEK);
        assert!(leaks.iter().all(|incident| ["memory-leak", "backup"].contains(&incident.kind.as_str())));
    }

    #[test]
    fn kinds_by_hand_say_what_is_wrong() {
        let span = Window::new(MONDAY, MONDAY + 5 * MINUTE);
        let by_hand =
            |kind: &str, target: &str| trigger::<ResourceAnomalies>("{}", 1, WEEK, targets(true), kind, target, span);
        for kind in Kinds::ALL {
            let incident = by_hand(kind.name(), "user_003").unwrap().remove(0);
            assert_eq!((incident.window, incident.kind.as_str()), (span, kind.name()));
        }
        assert!(by_hand("earthquake", "user_003").unwrap_err().to_string().contains("cpu-spike"));
        assert!(by_hand("cpu-spike", "user_999").unwrap_err().to_string().contains("no target"));
    }
}
