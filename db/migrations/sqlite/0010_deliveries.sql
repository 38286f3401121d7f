-- +goose Up

-- Which version of a key runs of an app's version last received: read from the
-- audit log, up to the number that delivery_positions has, and made anew from it
-- where it is missing. The empty key is the last run of the app's version.
CREATE TABLE key_deliveries (
    team_id     TEXT   NOT NULL REFERENCES teams ON DELETE CASCADE,
    key         TEXT   NOT NULL,
    app         TEXT   NOT NULL,
    -- 0 for a run whose entry does not name it.
    app_version INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    run_id      TEXT   NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (team_id, key, app, app_version, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_positions (
    team_id TEXT   PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    seq     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which apps a key is given to.
CREATE INDEX app_grants_source ON app_grants (team_id, source_key);
