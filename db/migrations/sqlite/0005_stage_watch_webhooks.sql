-- +goose Up

-- 1 while a version waits to be used for the first time. secrets.version is
-- the one in use, 0 while there is none; the highest number of a secret's
-- versions is the highest that was ever given, as the newest is always kept.
ALTER TABLE secret_versions ADD COLUMN staged INTEGER NOT NULL DEFAULT 0;

-- A number for each team that goes up with each change, for those who wait for
-- one.
CREATE TABLE team_changes (
    team_id TEXT    PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    number  INTEGER NOT NULL
) STRICT;

CREATE TABLE webhooks (
    id              TEXT    PRIMARY KEY,
    team_id         TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    url             TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    -- Types, separated by spaces; none means all.
    events          TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    disabled_reason TEXT    NOT NULL,
    failing_since   INTEGER NOT NULL,
    created_by      TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_team ON webhooks (team_id);

-- Signing secrets, sealed. expires_at is 0 for the newest.
CREATE TABLE webhook_secrets (
    team_id    TEXT    NOT NULL,
    webhook_id TEXT    NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    value      BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (team_id, webhook_id, version)
) STRICT;

-- The outbox: one row for each message to one endpoint.
CREATE TABLE webhook_messages (
    id          TEXT    PRIMARY KEY,
    team_id     TEXT    NOT NULL,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    type        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts    INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    -- Until then one instance is sending it.
    leased_until INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    last_error  TEXT    NOT NULL
) STRICT;
CREATE INDEX webhook_messages_webhook ON webhook_messages (webhook_id, created_at);
CREATE INDEX webhook_messages_due ON webhook_messages (next_at) WHERE state = 'pending';
