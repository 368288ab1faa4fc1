-- What the log of acknowledged rows has handed to the lake. Times are microseconds since 1970 (UTC).

-- The position up to which the log's frames are in the lake; one row.
CREATE TABLE ingest_position (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    moved INTEGER NOT NULL
) STRICT;
INSERT INTO ingest_position VALUES (1, 0);

-- Idempotency keys of frames that are in the lake; those of others are in the log.
CREATE TABLE ingest_keys (
    key  TEXT PRIMARY KEY,
    body INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ingest_keys_by_age ON ingest_keys (at);
