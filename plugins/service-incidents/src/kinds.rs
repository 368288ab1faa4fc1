//! What each kind of incident does: a recipe of effects, of what it brings about, and of where it strikes.
//!
//! Recipes name signals; a system that has only some of them gets the effects on those. Knows nothing of days.

use telemill_sdk::time::{MINUTE, SECOND};
use telemill_sdk::{Attribute, Effect, Incident, Kind, Operation, Role, Severity, Stream, Target, Timestamp, Window};

use crate::config::Config;

/// Share of calls that still time out behind an open breaker: its trials.
const TRIALS_TIME_OUT: f64 = 0.03;
/// What a service that lost capacity is slower than one in other trouble: no call of it is answered early.
const DEGRADED_SLOWER: f64 = 1.15;
/// Least and most factor of a load spike: a system with a third of its capacity to spare holds it.
const SPIKE: (f64, f64) = (1.3, 1.5);
/// The attribute of a target that names the targets it calls, with commas between them.
const CALLS: &str = "calls";

/// What can go wrong, and the decoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A payment gateway stops answering; the breaker in front of it opens later.
    PaymentGatewayTimeout,
    /// All connections to a database are taken.
    DatabasePoolExhaustion,
    /// A service leaks memory.
    MemoryPressure,
    /// A breaker opens by itself.
    CircuitBreakerOpen,
    /// A service loses capacity.
    UpstreamDegradation,
    /// Many visitors: a decoy.
    LoadSpike,
}

impl Trouble {
    /// All kinds, the decoy last.
    pub const ALL: [Self; 6] = [
        Self::PaymentGatewayTimeout,
        Self::DatabasePoolExhaustion,
        Self::MemoryPressure,
        Self::CircuitBreakerOpen,
        Self::UpstreamDegradation,
        Self::LoadSpike,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentGatewayTimeout => "payment-gateway-timeout",
            Self::DatabasePoolExhaustion => "database-pool-exhaustion",
            Self::MemoryPressure => "memory-pressure",
            Self::CircuitBreakerOpen => "circuit-breaker-open",
            Self::UpstreamDegradation => "upstream-degradation",
            Self::LoadSpike => "load-spike",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As the contract tells it.
    pub fn kind(self) -> Kind {
        let summary = match self {
            Self::PaymentGatewayTimeout => {
                "A payment gateway answers ever later, calls time out, and the circuit breaker in front of it opens"
            }
            Self::DatabasePoolExhaustion => {
                "All pooled connections to a database are taken: calls wait for one, many in vain"
            }
            Self::MemoryPressure => "A service leaks memory: collections take over, it gets slow and fails by and by",
            Self::CircuitBreakerOpen => {
                "A circuit breaker opens: calls are refused at once, the trials that pass are slow"
            }
            Self::UpstreamDegradation => "A service loses capacity: it is slow, fails, and is called again for it",
            Self::LoadSpike => "More visitors than usual: a decoy, nothing is wrong",
        };
        Kind { name: self.name().to_owned(), summary: summary.to_owned() }
    }

    /// How often it happens in relation to the others; the decoy is planned by itself.
    pub fn weight(self) -> f64 {
        match self {
            Self::PaymentGatewayTimeout => 36.0,
            Self::DatabasePoolExhaustion => 20.0,
            Self::MemoryPressure => 17.0,
            Self::CircuitBreakerOpen => 11.0,
            Self::UpstreamDegradation => 16.0,
            Self::LoadSpike => 0.0,
        }
    }

    /// The targets that it can strike: those of its roles, or where a system tells no roles, all with its signal.
    pub fn candidates(self, targets: &[Target]) -> Vec<usize> {
        let (roles, signal): (&[&str], &str) = match self {
            Self::PaymentGatewayTimeout => (&["payment"], "timeout_rate"),
            Self::DatabasePoolExhaustion => (&["database"], "db_connections"),
            Self::MemoryPressure => (&["service"], "memory"),
            Self::CircuitBreakerOpen => (&["payment", "service"], "rejection_rate"),
            Self::UpstreamDegradation => (&["service"], "latency"),
            Self::LoadSpike => (&["system"], "demand"),
        };
        let able = |target: &&(usize, &Target)| has_signal(targets, &target.1.name, signal);
        let all: Vec<(usize, &Target)> = targets.iter().enumerate().collect();
        let with_role = |target: &&(usize, &Target)| {
            target.1.attributes.iter().any(|a| a.name == "role" && roles.contains(&a.value.as_str()))
        };
        let fit: Vec<usize> = all.iter().filter(with_role).filter(able).map(|(at, _)| *at).collect();
        if fit.is_empty() { all.iter().filter(able).map(|(at, _)| *at).collect() } else { fit }
    }
}

/// Whether an effect on a target's signal does anything: it or one that belongs to it has the signal.
fn has_signal(targets: &[Target], name: &str, signal: &str) -> bool {
    targets
        .iter()
        .filter(|target| target.name == name || target.parents.iter().any(|parent| parent == name))
        .any(|target| target.signals.iter().any(|known| known == signal))
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

impl Recipes<'_> {
    /// An incident of a kind on a target over a window, and those that it brings about. `gradual` where it should build up
    /// until near its end.
    pub fn write(
        &self,
        trouble: Trouble,
        target: &str,
        window: Window,
        id: &str,
        gradual: bool,
        stream: &mut Stream,
    ) -> Vec<Incident> {
        let length = window.micros();
        let recovery = (self.config.recovery_minutes.at(stream.unit()) * MINUTE as f64) as i64;
        let ramp = if gradual {
            length * 85 / 100
        } else {
            // Wholly a second, so that every system's grid can show it.
            ((length as f64 * stream.between(0.08, 0.14)) as i64 / SECOND * SECOND)
                .clamp(0, 90 * SECOND)
                .min(length / 3)
        };
        let course = Course {
            start: window.start,
            full: window.start + ramp,
            release: window.end,
            end: window.end + recovery / SECOND * SECOND,
        };
        let slowdown = self.config.slowdown.at(stream.unit());
        // Ramps take from what an incident brings on average; this gives it back.
        let failing = stream.between(0.29, 0.36);
        let mut root = Draft::new(self.targets, target, course);
        let mut others = Vec::new();
        match trouble {
            Trouble::PaymentGatewayTimeout => {
                let opens = course.start + length * (30 + stream.below(12) as i64) / 100 / SECOND * SECOND;
                let before = Course { release: opens, end: opens + 40 * SECOND, ..course };
                let trials = Course { start: opens, full: opens + 20 * SECOND, ..course };
                let cascades = self.config.cascades && opens < course.release;
                let breaker = if cascades { self.breaker(target, trials, failing, id) } else { None };
                root.scale("latency", slowdown);
                root.set("retry_rate", 0.30);
                if breaker.is_some() {
                    root.during(before).set("timeout_rate", failing);
                    root.during(trials).set("timeout_rate", TRIALS_TIME_OUT);
                } else {
                    root.set("timeout_rate", failing);
                }
                others.extend(breaker);
                if cascades && stream.chance(0.4) {
                    others.extend(self.retry_storm(target, course, slowdown, failing, id, stream));
                }
            }
            Trouble::DatabasePoolExhaustion => {
                root.scale("db_connections", 4.5);
                root.scale("latency", slowdown);
                root.set("error_rate", failing);
                root.scale("threads", 3.0);
                root.scale("memory", 1.4);
                root.set("retry_rate", 0.15);
            }
            Trouble::MemoryPressure => {
                root.scale("memory", 1.8);
                root.scale("gc_pause", 14.0);
                root.scale("latency", slowdown);
                root.set("error_rate", failing);
                root.scale("cpu", 1.3);
            }
            Trouble::CircuitBreakerOpen => {
                root.set("rejection_rate", failing);
                root.scale("latency", slowdown);
            }
            Trouble::UpstreamDegradation => {
                root.scale("capacity", 0.75);
                root.scale("latency", DEGRADED_SLOWER * slowdown);
                root.set("error_rate", failing);
                root.set("retry_rate", 0.12);
                if self.config.cascades && stream.chance(0.4) {
                    others.extend(self.retry_storm(target, course, slowdown, failing, id, stream));
                }
            }
            Trouble::LoadSpike => root.scale("demand", stream.between(SPIKE.0, SPIKE.1)),
        }
        let (role, severity) = match trouble {
            Trouble::LoadSpike => (Role::Decoy, Severity::Info),
            Trouble::PaymentGatewayTimeout => (Role::Incident, Severity::Critical),
            Trouble::DatabasePoolExhaustion => (Role::Incident, Severity::High),
            _ if length >= 10 * MINUTE => (Role::Incident, Severity::High),
            _ => (Role::Incident, Severity::Medium),
        };
        root.finish(id.to_owned(), trouble, role, severity, None).into_iter().chain(others).collect()
    }

    /// The breaker in front of a gateway: it opens late, refuses calls at once, and closes by and by.
    fn breaker(&self, target: &str, course: Course, failing: f64, cause: &str) -> Option<Incident> {
        let mut draft = Draft::new(self.targets, target, course);
        draft.set("rejection_rate", failing - TRIALS_TIME_OUT);
        draft.finish(format!("{cause}-A"), Trouble::CircuitBreakerOpen, Role::Incident, Severity::High, Some(cause))
    }

    /// A caller of the trigger that drowns in its own retries; none where the system tells of no caller. It begins while the
    /// trigger is on, and outlasts it: its retries are load, and the load makes calls fail that are tried again.
    fn retry_storm(
        &self,
        trigger: &str,
        course: Course,
        slowdown: f64,
        failing: f64,
        cause: &str,
        stream: &mut Stream,
    ) -> Option<Incident> {
        let callers = callers(self.targets, trigger);
        let caller = callers.get(stream.below(callers.len() as u64) as usize)?;
        let start = course.start + (course.release - course.start) * 2 / 5 / SECOND * SECOND;
        let outlasts = (stream.between(2.0, 5.0) * MINUTE as f64) as i64 / SECOND * SECOND;
        let course = Course {
            start,
            full: start + 60 * SECOND,
            release: course.release.max(start + 60 * SECOND) + outlasts,
            end: course.end.max(start + 60 * SECOND) + outlasts,
        };
        let mut draft = Draft::new(self.targets, &caller.name, course);
        draft.set("retry_rate", 0.25);
        draft.scale("capacity", 0.85);
        draft.scale("latency", slowdown);
        draft.set("error_rate", failing);
        draft.scale("threads", 2.0);
        let storm = draft.finish(
            format!("{cause}-B"),
            Trouble::UpstreamDegradation,
            Role::Incident,
            Severity::High,
            Some(cause),
        )?;
        Some(Incident { title: format!("Retry storm on {}", caller.name), ..storm })
    }
}

/// The targets that call one which is in trouble with `trigger`, and are not in trouble with it themselves.
fn callers<'a>(targets: &'a [Target], trigger: &str) -> Vec<&'a Target> {
    let has_parent = |part: &Target, name: &str| part.parents.iter().any(|parent| parent == name);
    // A service that the trigger is part of, or one of whose operations uses the trigger, is in trouble with it.
    let struck = |name: &str| {
        name == trigger
            || targets.iter().any(|part| has_parent(part, name) && (part.name == trigger || has_parent(part, trigger)))
    };
    let calls = |target: &Target| {
        let mut named = target.attributes.iter().filter(|a| a.name == CALLS).flat_map(|a| a.value.split(','));
        named.any(|name| struck(name.trim()))
    };
    targets.iter().filter(|target| !struck(&target.name) && calls(target)).collect()
}

/// An incident under way.
struct Draft<'a> {
    targets: &'a [Target],
    target: &'a str,
    course: Course,
    effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    fn new(targets: &'a [Target], target: &'a str, course: Course) -> Self {
        Self { targets, target, course, effects: Vec::new() }
    }

    fn scale(&mut self, signal: &str, value: f64) {
        self.effect(self.course, signal, Operation::Scale, value);
    }

    fn set(&mut self, signal: &str, value: f64) {
        self.effect(self.course, signal, Operation::Set, value);
    }

    /// The next effects on a course of their own.
    fn during(&mut self, course: Course) -> During<'_, 'a> {
        During { draft: self, course }
    }

    fn effect(&mut self, course: Course, signal: &str, operation: Operation, value: f64) {
        if has_signal(self.targets, self.target, signal) {
            let Course { start, release, end, .. } = course;
            let full = course.full.min(release);
            let (target, signal) = (self.target.to_owned(), signal.to_owned());
            self.effects.push(Effect { target, signal, operation, value, start, full, release, end });
        }
    }

    fn finish(
        self,
        id: String,
        trouble: Trouble,
        role: Role,
        severity: Severity,
        cause: Option<&str>,
    ) -> Option<Incident> {
        (!self.effects.is_empty()).then(|| Incident {
            id,
            kind: trouble.name().to_owned(),
            role,
            title: format!("{} on {}", words(trouble.name()), self.target),
            severity,
            cause: cause.map(str::to_owned),
            window: Window::new(
                self.course.start,
                self.effects.iter().map(|e| e.release).max().unwrap_or(self.course.release),
            ),
            recovered: self.effects.iter().map(|e| e.end).max().unwrap_or(self.course.end),
            attributes: vec![Attribute::new("target", self.target)],
            effects: self.effects,
        })
    }
}

/// See [`Draft::during`].
struct During<'d, 'a> {
    draft: &'d mut Draft<'a>,
    course: Course,
}

impl During<'_, '_> {
    fn set(self, signal: &str, value: f64) {
        self.draft.effect(self.course, signal, Operation::Set, value);
    }
}

/// "payment-gateway-timeout" as "Payment gateway timeout".
fn words(name: &str) -> String {
    let mut text = name.replace('-', " ");
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    text
}
