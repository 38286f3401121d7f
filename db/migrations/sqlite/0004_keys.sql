-- +goose Up

-- The role of a service key, which is the team's own; empty for a person's.
ALTER TABLE api_keys ADD COLUMN service_role TEXT NOT NULL DEFAULT '' CHECK (service_role IN ('', 'admin', 'member'));
-- The only app that the key runs; empty for any. No foreign key: a key whose
-- app was deleted stays, and runs nothing.
ALTER TABLE api_keys ADD COLUMN app_id TEXT NOT NULL DEFAULT '';

-- Keys that were revoked, for 90 days: who presents one still is noticed.
CREATE TABLE revoked_keys (
    token_hash BLOB    PRIMARY KEY,
    team_id    TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    key_id     TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    revoked_at INTEGER NOT NULL,
    tried_at   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Creating calls that came with an Idempotency-Key, for 24 hours.
CREATE TABLE idempotent_calls (
    credential_id TEXT    NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    team_id       TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    -- HMACs of the key and of the request, and the answer, sealed; all under
    -- keys that are derived from the API key, which is not stored.
    key_mac       BLOB    NOT NULL,
    request_mac   BLOB    NOT NULL,
    answer        BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (credential_id, key_mac)
) STRICT;
CREATE INDEX idempotent_calls_created ON idempotent_calls (created_at);
