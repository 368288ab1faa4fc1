//! How a run is told: what it made, what went wrong in it, what validators say, and where to go on.

use super::Verdict;
use super::output::{Output, grouped, table};
use crate::api::RunWithReports;
use crate::app::App;
use crate::core::digest::BY_DIGEST;
use crate::core::incident::Severity;
use crate::core::report::{Finding, Report};
use crate::remote::Server;
use crate::run::{Host, Judgement, Outcome, ResolvedSpec};
use crate::store::{ReportRecord, RunRecord};
use arrow::util::display::array_value_to_string;
use serde_json::json;
use std::io::{self, Write};

/// Most incidents that a summary lists; `telemill sql` shows the rest.
const MAX_INCIDENTS: usize = 40;
/// Most findings of one validator that are listed.
const MAX_FINDINGS: usize = 10;

/// One incident of a summary.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct IncidentLine {
    start: String,
    end: String,
    kind: String,
    severity: String,
    title: String,
    id: String,
    cause: String,
}

/// Tells a run that this process has just finished; a failed verdict is negative.
pub(super) fn finished_here(app: &App, host: &Host, out: &Output, outcome: Outcome) -> anyhow::Result<Verdict> {
    let Outcome { record, judgements } = outcome;
    let incidents = incidents(host, &record.dataset)?;
    finished(out, &record, &incidents, &judgements, |out| next_commands(out, app, &record.dataset))
}

/// The same of a run that a server has finished.
pub(super) fn finished_there(out: &Output, server: &Server, run: RunWithReports) -> anyhow::Result<Verdict> {
    let RunWithReports { run: record, reports } = run;
    let incidents = server.query_for(&incidents_sql(&record.dataset))?;
    let judgements: Vec<Judgement> = reports.into_iter().map(|report| report.content.into()).collect();
    finished(out, &record, &incidents, &judgements, |out| {
        let at = format!(" --server {}", server.url());
        writeln!(out, "\ngo on with")?;
        next_of_dataset(out, &at, &record.dataset)
    })
}

fn finished(
    out: &Output,
    record: &RunRecord,
    incidents: &[IncidentLine],
    judgements: &[Judgement],
    next: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<Verdict> {
    let passed = judgements.iter().all(|judgement| judgement.passed);
    let value = json!({ "run": record, "incidents": incidents, "reports": judgements, "passed": passed });
    out.print(&value, |out| {
        writeln!(out, "run {} into {} is finished\n", record.id, record.dataset)?;
        rows(out, record)?;
        if !incidents.is_empty() {
            writeln!(out, "\nincidents (UTC)")?;
            incident_table(out, incidents)?;
        }
        if !judgements.is_empty() {
            writeln!(out, "\nverdicts")?;
        }
        for judgement in judgements {
            verdict(out, &judgement.plugin, judgement.passed, &judgement.report)?;
        }
        fingerprint(out, record)?;
        next(out)
    })?;
    Ok(if passed { Verdict::Good } else { Verdict::Negative })
}

/// Tells a recorded run.
pub(super) fn run(out: &Output, record: &RunRecord, reports: &[ReportRecord]) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(record)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("reports".to_owned(), serde_json::to_value(reports)?);
    }
    out.print(&value, |out| {
        writeln!(out, "run {} into {} is {}", record.id, record.dataset, record.state)?;
        if let Ok(spec) = serde_json::from_value::<ResolvedSpec>(record.spec.clone()) {
            writeln!(out, "  seed {}, {} from {}", spec.seed(), spec.spec().duration, spec.window().start)?;
        }
        if let Some(error) = &record.error {
            writeln!(out, "  {error}\n  `telemill run resume {}` goes on", record.id)?;
        }
        writeln!(out, "\ncomponents")?;
        let used = record.plugins.iter().map(|used| {
            vec![
                used.role.clone(),
                used.name.clone(),
                used.version.clone(),
                format!("{BY_DIGEST}{}", used.digest.short()),
            ]
        });
        table(out, &["  role", "name", "version", "digest"], &used.map(indent).collect::<Vec<_>>())?;
        writeln!(out)?;
        rows(out, record)?;
        if !reports.is_empty() {
            writeln!(out, "\nverdicts")?;
        }
        for report in reports {
            verdict(out, &report.content.plugin, report.content.passed, &report.content.report)?;
        }
        fingerprint(out, record)
    })
}

fn incident_table(out: &mut dyn Write, incidents: &[IncidentLine]) -> io::Result<()> {
    let lines = incidents.iter().take(MAX_INCIDENTS).map(|i| {
        vec![i.start.clone(), i.end.clone(), i.kind.clone(), i.severity.clone(), i.title.clone(), i.cause.clone()]
    });
    table(out, &["  start", "end", "kind", "severity", "what", "caused by"], &lines.map(indent).collect::<Vec<_>>())?;
    if incidents.len() > MAX_INCIDENTS {
        writeln!(out, "  and {} more", incidents.len() - MAX_INCIDENTS)?;
    }
    Ok(())
}

fn indent(mut row: Vec<String>) -> Vec<String> {
    if let Some(first) = row.first_mut() {
        first.insert_str(0, "  ");
    }
    row
}

fn rows(out: &mut dyn Write, record: &RunRecord) -> io::Result<()> {
    let lines = record.tables.iter().map(|total| vec![total.table.clone(), grouped(total.rows)]);
    table(out, &["  table", "rows"], &lines.map(indent).collect::<Vec<_>>())
}

fn fingerprint(out: &mut dyn Write, record: &RunRecord) -> io::Result<()> {
    match record.fingerprint {
        Some(digest) => writeln!(out, "\nfingerprint {digest}"),
        None => writeln!(out, "\nno fingerprint: the run is not finished"),
    }
}

/// Tells a validator's verdict with its worst findings.
pub(super) fn verdict(out: &mut dyn Write, plugin: &str, passed: bool, report: &Report) -> io::Result<()> {
    let word = if passed { "passed" } else { "FAILED" };
    let (findings, metrics) = (report.findings.len(), report.metrics.len());
    writeln!(out, "  {plugin:<16} {word}: {findings} findings, {metrics} metrics")?;
    let mut worst: Vec<_> = report.findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
    worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in worst.iter().take(MAX_FINDINGS) {
        let Finding { severity, rule, message, failed, checked, .. } = finding;
        writeln!(out, "    {severity}: {rule}: {}{message} ({failed} of {checked})", place(finding))?;
    }
    if worst.len() > MAX_FINDINGS {
        writeln!(out, "    and {} more", worst.len() - MAX_FINDINGS)?;
    }
    Ok(())
}

/// The table and the column that a finding is about, as far as it has them, with what parts them from its message.
fn place(finding: &Finding) -> String {
    let names: Vec<&str> = [&finding.table, &finding.column].into_iter().flatten().map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!("{}: ", names.join(".")) }
}

/// What a command needs that shall look into the same data folder, with a space before it; nothing where it is the default.
pub(super) fn data_dir_flag(app: &App) -> String {
    let folder = app.data_dir();
    if ["telemill-data", "./telemill-data"].iter().any(|default| folder == std::path::Path::new(default)) {
        String::new()
    } else {
        format!(" --data-dir {}", folder.display())
    }
}

fn next_commands(out: &mut dyn Write, app: &App, dataset: &str) -> io::Result<()> {
    let (folder, data_dir) = (app.data_dir().display(), data_dir_flag(app));
    writeln!(out, "\ngo on with")?;
    next_of_dataset(out, &data_dir, dataset)?;
    // Not `SHOW ALL TABLES`, which DuckDB 1.5.5 often answers with nothing the first time that it is asked.
    writeln!(
        out,
        "  duckdb -c \"ATTACH 'ducklake:sqlite:{folder}/telemill.sqlite' AS lake (READ_ONLY); SHOW TABLES FROM lake.{dataset}\""
    )
}

/// The columns are the fields of [`IncidentLine`], in their order.
fn incidents_sql(dataset: &str) -> String {
    format!(
        "SELECT to_char(start_time, '%a %Y-%m-%d %H:%M') AS \"start\", to_char(end_time, '%H:%M') AS \"end\",
                CASE role WHEN 'decoy' THEN kind || ' (decoy)' ELSE kind END AS kind, severity, title, incident_id AS id,
                coalesce(cause, '') AS cause
         FROM {dataset}.incidents ORDER BY start_time, incident_id"
    )
}

/// What can be done with a dataset; `place` is the flag that says where it is.
fn next_of_dataset(out: &mut dyn Write, place: &str, dataset: &str) -> io::Result<()> {
    writeln!(
        out,
        "  telemill{place} sql \"SELECT kind, title, start_time FROM {dataset}.incidents ORDER BY start_time\""
    )?;
    writeln!(out, "  telemill{place} export {dataset} --format csv --output-dir ./export")
}

/// The dataset's incidents by start, as text.
fn incidents(host: &Host, dataset: &str) -> anyhow::Result<Vec<IncidentLine>> {
    let engine = host.query_engine(None)?;
    let batches = host.runtime.block_on(async { engine.sql(&incidents_sql(dataset)).await?.collect().await })?;
    let mut lines = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |index: usize| match batch.columns().get(index) {
                Some(column) => array_value_to_string(column, row),
                None => Ok(String::new()),
            };
            lines.push(IncidentLine {
                start: cell(0)?,
                end: cell(1)?,
                kind: cell(2)?,
                severity: cell(3)?,
                title: cell(4)?,
                id: cell(5)?,
                cause: cell(6)?,
            });
        }
    }
    Ok(lines)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_its_table_and_column() {
        let finding = |table: Option<&str>, column: Option<&str>| Finding {
            rule: "required".to_owned(),
            severity: Severity::High,
            table: table.map(str::to_owned),
            column: column.map(str::to_owned),
            message: "rows are null".to_owned(),
            failed: 3,
            checked: 40,
            samples: Vec::new(),
        };
        let findings = vec![
            finding(Some("metrics"), Some("rtt_ms")),
            finding(Some("metrics"), None),
            finding(None, Some("rtt_ms")),
            finding(None, None),
        ];
        let mut told = Vec::new();
        verdict(&mut told, "table-rules", false, &Report { findings, metrics: Vec::new() }).unwrap();
        let told = String::from_utf8(told).unwrap();
        let lines: Vec<&str> = told.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "high: required: metrics.rtt_ms: rows are null (3 of 40)",
                "high: required: metrics: rows are null (3 of 40)",
                "high: required: rtt_ms: rows are null (3 of 40)",
                "high: required: rows are null (3 of 40)",
            ]
        );
    }
}
