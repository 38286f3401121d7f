-- +goose Up

-- Whether an app may have a key that it declares. A version of the program
-- that does not know grants deploys without making any: what it registers has
-- no row here, and a key without a row is not injected.
CREATE TABLE app_grants (
    team_id TEXT    NOT NULL,
    app_id  TEXT    NOT NULL REFERENCES apps ON DELETE CASCADE,
    -- The key that the app declares.
    key     TEXT    NOT NULL,
    -- The key of the team whose value is given for it: the same unless bound.
    source_key TEXT NOT NULL,
    state   TEXT    NOT NULL CHECK (state IN ('granted', 'waiting', 'revoked')),
    -- Who deployed the version that asked for it.
    requested_by      TEXT    NOT NULL,
    requested_version TEXT    NOT NULL,
    requested_at      BIGINT  NOT NULL,
    -- Who granted or revoked it; empty and 0 while it waits.
    decided_by TEXT    NOT NULL DEFAULT '',
    decided_at BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, app_id, key)
);
CREATE INDEX app_grants_app ON app_grants (app_id);

-- The version that becomes current as soon as its keys are granted.
ALTER TABLE apps ADD COLUMN pending_version_id TEXT NOT NULL DEFAULT '';

-- Apps that are there go on running: each key is granted by whoever made the
-- first version that declares it.
INSERT INTO app_grants (team_id, app_id, key, source_key, state, requested_by, requested_version, requested_at, decided_by, decided_at)
SELECT team_id, app_id, key, key, 'granted', created_by, id, created_at, created_by, created_at
FROM (
    SELECT v.team_id, v.app_id, v.id, v.created_by, v.created_at, r."Key" AS key,
        ROW_NUMBER() OVER (PARTITION BY v.app_id, r."Key" ORDER BY v.number) AS nth
    FROM app_versions v, json_to_recordset(NULLIF(v.requirements, 'null')::json) AS r("Kind" text, "Key" text)
    WHERE r."Kind" = 'secret'
) AS declared
WHERE nth = 1;
