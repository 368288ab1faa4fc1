-- Who may ask the server for what, what it has answered under a key, and who changed what.

CREATE TABLE tokens (
    name        TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of the secret, hex; the secret itself is shown once and kept nowhere.
    digest      TEXT NOT NULL UNIQUE,
    scope       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
);

CREATE TABLE idempotency_keys (
    caller        TEXT NOT NULL,
    key           TEXT NOT NULL,
    -- SHA-256 of method, path and body: the same key with another request is a mistake.
    request       TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    -- The answer; none while the request is being worked on, or when the server died over it.
    status        INTEGER,
    content_type  TEXT,
    location      TEXT,
    body          BLOB,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    caller  TEXT NOT NULL,
    method  TEXT NOT NULL,
    path    TEXT NOT NULL,
    status  INTEGER NOT NULL
);
