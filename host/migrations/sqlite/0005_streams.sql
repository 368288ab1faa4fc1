-- Streams: runs without an end. Times are microseconds since 1970 (UTC); those called simulated are of a stream's own clock.

CREATE TABLE streams (
    id            TEXT PRIMARY KEY,
    dataset       TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'paused', 'stopped', 'failed')),
    spec          TEXT NOT NULL CHECK (json_valid(spec)),
    plugins       TEXT NOT NULL CHECK (json_valid(plugins)),
    versions      TEXT NOT NULL CHECK (json_valid(versions)),
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    error         TEXT,
    -- The simulated clock: at wall_anchor it showed clock_anchor, and goes on at speed from there (or stands, where paused).
    wall_anchor   INTEGER NOT NULL,
    clock_anchor  INTEGER NOT NULL,
    speed         REAL NOT NULL CHECK (speed > 0),
    -- Rows before this simulated time are in the lake, and nothing behind it.
    position      INTEGER NOT NULL,
    -- Incidents of the days before this one are planned.
    planned_until INTEGER NOT NULL,
    -- Rows before this simulated time were judged by the validators.
    judged_until  INTEGER NOT NULL,
    commits       INTEGER NOT NULL,
    tables        TEXT NOT NULL CHECK (json_valid(tables))
) STRICT;

-- What a stream committed, in order from 1: what sinks and tails count by. Files are forgotten where nobody needs them.
CREATE TABLE stream_commits (
    stream_id    TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    rows         INTEGER NOT NULL,
    files        TEXT NOT NULL CHECK (json_valid(files)),
    PRIMARY KEY (stream_id, number)
) STRICT;

-- What each partition's instance saved at the stream's position; none where it carries nothing over.
CREATE TABLE stream_states (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    partition INTEGER NOT NULL,
    state     BLOB NOT NULL,
    PRIMARY KEY (stream_id, partition)
) STRICT;

-- Incidents that are known, in the order in which they became so; shown ones are rows of the table incidents.
CREATE TABLE stream_incidents (
    stream_id   TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    incident_id TEXT NOT NULL,
    number      INTEGER NOT NULL,
    start_time  INTEGER NOT NULL,
    recovered   INTEGER NOT NULL,
    shown       INTEGER NOT NULL CHECK (shown IN (0, 1)),
    incident    TEXT NOT NULL CHECK (json_valid(incident)),
    PRIMARY KEY (stream_id, incident_id)
) STRICT;

-- Versions of plugins that took over: from the simulated time `at` on, the components are those of `after`.
CREATE TABLE stream_swaps (
    id         INTEGER PRIMARY KEY,
    stream_id  TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    swapped_at INTEGER NOT NULL,
    before     TEXT NOT NULL CHECK (json_valid(before)),
    after      TEXT NOT NULL CHECK (json_valid(after)),
    -- Whether the generator began afresh there, since it could not read the state.
    afresh     INTEGER NOT NULL CHECK (afresh IN (0, 1))
) STRICT;
CREATE INDEX stream_swaps_by_stream ON stream_swaps (stream_id, id);

-- Where the rows of a stream go besides the lake.
CREATE TABLE stream_sinks (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    config    TEXT NOT NULL CHECK (json_valid(config)),
    -- Commits up to this number are delivered, or given up.
    position  INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    batches   INTEGER NOT NULL,
    retries   INTEGER NOT NULL,
    dead      INTEGER NOT NULL,
    error     TEXT,
    PRIMARY KEY (stream_id, name)
) STRICT;

-- What a sink could not deliver and what was answered.
CREATE TABLE stream_dead_letters (
    id         INTEGER PRIMARY KEY,
    stream_id  TEXT NOT NULL,
    sink       TEXT NOT NULL,
    batch_key  TEXT NOT NULL,
    at         INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    body       BLOB NOT NULL,
    FOREIGN KEY (stream_id, sink) REFERENCES stream_sinks (stream_id, name) ON DELETE CASCADE
) STRICT;
CREATE INDEX stream_dead_letters_by_sink ON stream_dead_letters (stream_id, sink, id);
