-- +goose Up

-- Which version of a key runs of an app's version last received: read from the
-- audit log, up to the number that delivery_positions has, and made anew from it
-- where it is missing. The empty key is the last run of the app's version.
CREATE TABLE key_deliveries (
    team_id     TEXT   NOT NULL REFERENCES teams ON DELETE CASCADE,
    key         TEXT   NOT NULL,
    app         TEXT   NOT NULL,
    -- 0 for a run whose entry does not name it.
    app_version BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    run_id      TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    PRIMARY KEY (team_id, key, app, app_version, version)
);

CREATE TABLE delivery_positions (
    team_id TEXT   PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    seq     BIGINT NOT NULL
);

-- Which apps a key is given to.
CREATE INDEX app_grants_source ON app_grants (team_id, source_key);
