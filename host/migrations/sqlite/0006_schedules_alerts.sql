-- Pipelines, their runs, and alerts. Times are microseconds since 1970 (UTC); JSON is kept as text.

-- A pipeline as its file was last read. No due time up to `seen_until` is looked at again, so that a due time runs at most once
-- whatever the clock does, also when its run is gone from the history.
CREATE TABLE pipelines (
    name       TEXT PRIMARY KEY,
    file       TEXT NOT NULL,
    definition TEXT NOT NULL CHECK (json_valid(definition)),
    seen_until INTEGER NOT NULL,
    next_due   INTEGER,
    -- The simulated time of its next run, where it has a clock of its own.
    clock      INTEGER
) STRICT;

-- A row is here before its work begins: it is the claim on the due time.
CREATE TABLE pipeline_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline    TEXT NOT NULL,
    due         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    cause       TEXT NOT NULL CHECK (cause IN ('schedule', 'manual', 'again')),
    state       TEXT NOT NULL
        CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted', 'skipped')),
    clock       INTEGER,
    claimed_at  INTEGER NOT NULL,
    finished_at INTEGER,
    error       TEXT,
    UNIQUE (pipeline, due, attempt)
) STRICT;
CREATE INDEX pipeline_runs_running ON pipeline_runs (id) WHERE state = 'running';

CREATE TABLE pipeline_steps (
    run_id      INTEGER NOT NULL REFERENCES pipeline_runs (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL
        CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted', 'skipped')),
    tries       INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    error       TEXT,
    result      TEXT NOT NULL CHECK (json_valid(result)),
    log         TEXT NOT NULL CHECK (json_valid(log)),
    PRIMARY KEY (run_id, position)
) STRICT;

-- Runs that somebody asked for, until the scheduler takes them.
CREATE TABLE pipeline_requests (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline     TEXT NOT NULL,
    again        INTEGER,
    requested_at INTEGER NOT NULL
) STRICT;

-- What is wrong, once for each thing that can be: at most one alert of a key is not resolved.
CREATE TABLE alerts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    key             TEXT NOT NULL,
    source          TEXT NOT NULL,
    validator       TEXT,
    dataset         TEXT,
    rule            TEXT NOT NULL,
    severity        TEXT NOT NULL,
    message         TEXT NOT NULL,
    details         TEXT NOT NULL CHECK (json_valid(details)),
    state           TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    times           INTEGER NOT NULL,
    raised_at       INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    note            TEXT,
    resolved_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX alerts_unresolved ON alerts (key) WHERE state <> 'resolved';

-- What channels are told, each from its own position on.
CREATE TABLE alert_events (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind  TEXT NOT NULL CHECK (kind IN ('raised', 'acknowledged', 'resolved')),
    at    INTEGER NOT NULL,
    -- The alert as it was then.
    alert TEXT NOT NULL CHECK (json_valid(alert))
) STRICT;

CREATE TABLE alert_channels (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error    TEXT
) STRICT;
