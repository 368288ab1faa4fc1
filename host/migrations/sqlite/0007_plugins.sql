-- Versions of plugins that were installed, and which of them a name means. Times are microseconds since 1970 (UTC).

CREATE TABLE plugin_versions (
    digest       TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    version      TEXT NOT NULL,
    summary      TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL,
    source       TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    -- What the conformance check saw.
    verdict      TEXT NOT NULL CHECK (json_valid(verdict)),
    imports      TEXT NOT NULL CHECK (json_valid(imports)),
    -- The tables of a generator, where its defaults or an example can be planned.
    tables       TEXT CHECK (tables IS NULL OR json_valid(tables)),
    -- The run spec that came beside it.
    scenario     TEXT
) STRICT;
CREATE INDEX plugin_versions_by_name ON plugin_versions (name, installed_at);

-- A row for each change of what a name means; the newest of a name holds. Without a digest, no installed version is
-- active, and the name means the plugin that ships, where one does. A rollback goes to the row `before`.
CREATE TABLE plugin_activations (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    digest TEXT,
    action TEXT NOT NULL CHECK (action IN ('enable', 'disable', 'rollback')),
    at     INTEGER NOT NULL,
    before INTEGER REFERENCES plugin_activations (id)
) STRICT;
CREATE INDEX plugin_activations_by_name ON plugin_activations (name, id);
