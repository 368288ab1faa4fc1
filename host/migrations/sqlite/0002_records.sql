-- Telemill's own records. Times are microseconds since 1970 (UTC); JSON is kept as text.

-- What a table was declared as, per span of snapshots: units, keys and time fields that the catalog has no place for.
CREATE TABLE dataset_tables (
    table_id       INTEGER NOT NULL,
    begin_snapshot INTEGER NOT NULL,
    end_snapshot   INTEGER,
    declaration    TEXT NOT NULL CHECK (json_valid(declaration)),
    PRIMARY KEY (table_id, begin_snapshot)
) STRICT;

-- The catalog's tables have no indexes of their own.
CREATE INDEX telemill_file_column_stats ON ducklake_file_column_stats (data_file_id);
CREATE INDEX telemill_data_file ON ducklake_data_file (table_id, begin_snapshot);
CREATE INDEX telemill_column ON ducklake_column (table_id);

CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    dataset     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('planned', 'running', 'finished', 'failed', 'cancelled')),
    spec        TEXT NOT NULL CHECK (json_valid(spec)),
    plugins     TEXT NOT NULL CHECK (json_valid(plugins)),
    versions    TEXT NOT NULL CHECK (json_valid(versions)),
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    error       TEXT,
    fingerprint TEXT,
    tables      TEXT NOT NULL CHECK (json_valid(tables)),
    snapshot_id INTEGER
) STRICT;

-- One row per finished segment, inserted after its files are in place: what a resume keeps.
CREATE TABLE segments (
    run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    partition    INTEGER NOT NULL,
    segment      INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    state        BLOB,
    files        TEXT NOT NULL CHECK (json_valid(files)),
    fingerprints TEXT NOT NULL CHECK (json_valid(fingerprints)),
    rows         INTEGER NOT NULL,
    PRIMARY KEY (run_id, partition, segment)
) STRICT;

CREATE TABLE reports (
    id           INTEGER PRIMARY KEY,
    run_id       TEXT REFERENCES runs (id) ON DELETE SET NULL,
    dataset      TEXT NOT NULL,
    plugin       TEXT NOT NULL,
    version      TEXT NOT NULL,
    digest       TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    passed       INTEGER NOT NULL CHECK (passed IN (0, 1)),
    report       TEXT NOT NULL CHECK (json_valid(report)),
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX reports_by_run ON reports (run_id);
CREATE INDEX reports_by_dataset ON reports (dataset, id);

