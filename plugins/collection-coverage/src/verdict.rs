//! What is said of a collection once all rows were seen.

use telemill_sdk::time::{DAY, Local};
use telemill_sdk::{Finding, Metric, Report, Severity, Timestamp};

use crate::config::Period;
use crate::keys::Keys;
use crate::model::{Coverage, Linked, Reading, SAMPLES, finding};
use crate::timeline::Timeline;

impl Coverage {
    /// Where no table is named: how many days the table covers that covers most.
    pub(crate) fn judge_days(&self) -> Finding {
        let timelines =
            || self.readings.iter().filter_map(|reading| reading.time.as_ref()).map(|(_, timeline)| timeline);
        let days = timelines().map(Timeline::days).fold(0.0, f64::max);
        let enough = timelines().any(|timeline| timeline.has_days(self.min_days));
        let message = format!("rows cover {days:.2} days; {} are asked for", self.min_days);
        Finding {
            rule: "min-days".to_owned(),
            severity: if enough { Severity::Info } else { Severity::High },
            table: None,
            column: None,
            message,
            failed: u64::from(!enough),
            checked: 1,
            samples: Vec::new(),
        }
    }

    pub(crate) fn judge_times(&self, reading: &Reading, timeline: &Timeline, report: &mut Report) {
        let rules = &reading.rules;
        let metric = |name: &str, value: f64, unit: Option<&str>, at: Option<Timestamp>| Metric {
            name: format!("{}.{name}", rules.table),
            value,
            unit: unit.map(str::to_owned),
            at,
        };
        let minutes = (self.window.micros() as f64 / 60e6).max(f64::MIN_POSITIVE);
        report.metrics.push(metric("rows", timeline.rows() as f64, None, None));
        report.metrics.push(metric("rows_per_minute", timeline.rows() as f64 / minutes, Some("/min"), None));
        for (start, rows, _) in timeline.periods(Period::Day) {
            report.metrics.push(metric("rows_of_day", rows as f64, None, Some(start)));
        }
        let mut say = |rule: &str, failed: u64, checked: u64, message: String| {
            let severity = if failed > 0 && reading.named { rules.severity } else { Severity::Info };
            let said = finding(rule, severity, &rules.table, None, message);
            report.findings.push(Finding { failed, checked, ..said });
        };
        if self.min_days > 0.0 && reading.named {
            let short = !timeline.has_days(self.min_days);
            let message = format!("rows cover {:.2} days; {} are asked for", timeline.days(), self.min_days);
            say("min-days", u64::from(short), 1, message);
        }
        let (empty, days) = timeline.empty_days();
        let message = match empty.first() {
            Some(first) => format!("{} of {days} days have no row, the first is {}", empty.len(), date(*first)),
            None => format!("{} rows; {days} whole days, each with rows", timeline.rows()),
        };
        say("days", empty.len() as u64, days, message);
        if let Some(longest) = rules.max_gap_minutes {
            let gaps = timeline.gaps(longest);
            let message = match gaps.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((start, minutes)) => {
                    format!("{} gaps, the longest of {minutes:.0} minutes from {}", gaps.len(), date(*start))
                }
                None => format!("no gap of more than {longest} minutes"),
            };
            say("gaps", gaps.len() as u64, timeline.rows(), message);
        }
        if let Some(per_minute) = rules.per_minute {
            let (off, judged) = timeline.off(rules.per, per_minute, &rules.weekday_multipliers, rules.tolerance);
            let word = if rules.per == Period::Hour { "hours" } else { "days" };
            let message = match off.first() {
                Some(first) => format!(
                    "{} of {judged} {word} are off: {} rows from {}, and {:.0} are expected",
                    off.len(),
                    first.rows,
                    date(first.start),
                    first.expected
                ),
                None if judged == 0 => format!("not judged, as the window has no whole {word}"),
                None if rules.weekday_multipliers.is_empty() => {
                    format!("{judged} {word} have about {per_minute} rows a minute")
                }
                None => format!("{judged} {word} have about {per_minute} rows a minute x the weekday's factor"),
            };
            say("rate", off.len() as u64, judged, message);
        }
    }

    pub(crate) fn judge_entities(&self, reading: &Reading, report: &mut Report) {
        let rules = &reading.rules;
        let Some((_, seen)) = &reading.entity else { return };
        report.metrics.push(Metric {
            name: format!("{}.reporting", rules.table),
            value: seen.len() as f64 / seen.share(),
            unit: None,
            at: None,
        });
        let Some(keys) = reading.entities.and_then(|at| self.keys.get(at)) else { return };
        let (silent, all, names) = keys.missing_in(seen);
        let judged = self.window.hours() >= rules.min_hours;
        let broken = judged && silent as f64 > rules.at_most_silent * all as f64;
        let named = if names.is_empty() { "" } else { ": " };
        let names = names.get(..names.len().min(SAMPLES)).unwrap_or_default().join(", ");
        let more = if silent as usize > SAMPLES && !names.is_empty() { ", ..." } else { "" };
        let why = if judged { "" } else { "; not judged, as the window is short" };
        let message = format!(
            "{silent} of {all} in {}.{} never reported{named}{names}{more}{why}",
            keys.of.table, keys.of.column
        );
        let severity = if broken { rules.severity } else { Severity::Info };
        let said = finding("silent", severity, &rules.table, rules.entity.as_deref(), message);
        report.findings.push(Finding { failed: silent, checked: all, ..said });
    }

    pub(crate) fn judge_link(&self, linked: &Linked) -> Finding {
        let Linked { link, checked, orphans, .. } = linked;
        let broken = *orphans as f64 > link.at_most * *checked as f64;
        let share = self.keys.get(linked.keys).map_or(1.0, Keys::share);
        let part = if share < 1.0 { format!(" (of a sample: {share} of the ids)") } else { String::new() };
        let message = format!("{orphans} of {checked} link to nothing in {}.{}{part}", link.to.table, link.to.column);
        let severity = if broken { link.severity } else { Severity::Info };
        let said = finding("orphans", severity, &link.table, Some(&link.column), message);
        Finding { failed: *orphans, checked: *checked, samples: linked.samples.clone(), ..said }
    }
}

/// A time as people read it, to the minute.
fn date(t: Timestamp) -> String {
    let (day, micros) = (t.div_euclid(DAY), t.rem_euclid(DAY));
    let (year, month, date) = Local { day, weekday: 0, micros }.date();
    let minutes = micros / 60_000_000;
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}", minutes / 60, minutes % 60)
}
