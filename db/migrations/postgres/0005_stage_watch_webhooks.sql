-- +goose Up

-- 1 while a version waits to be used for the first time. secrets.version is
-- the one in use, 0 while there is none; the highest number of a secret's
-- versions is the highest that was ever given, as the newest is always kept.
ALTER TABLE secret_versions ADD COLUMN staged BIGINT NOT NULL DEFAULT 0;

-- A number for each team that goes up with each change, for those who wait for
-- one.
CREATE TABLE team_changes (
    team_id TEXT   PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    number  BIGINT NOT NULL
);

CREATE TABLE webhooks (
    id              TEXT    PRIMARY KEY,
    team_id         TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    url             TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    -- Types, separated by spaces; none means all.
    events          TEXT    NOT NULL,
    enabled         BIGINT NOT NULL,
    disabled_reason TEXT    NOT NULL,
    failing_since   BIGINT NOT NULL,
    created_by      TEXT    NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX webhooks_team ON webhooks (team_id);

-- Signing secrets, sealed. expires_at is 0 for the newest.
CREATE TABLE webhook_secrets (
    team_id    TEXT    NOT NULL,
    webhook_id TEXT    NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    version    BIGINT NOT NULL,
    value      BYTEA    NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, webhook_id, version)
);

-- The outbox: one row for each message to one endpoint.
CREATE TABLE webhook_messages (
    id          TEXT    PRIMARY KEY,
    team_id     TEXT    NOT NULL,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    type        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    -- Until then one instance is sending it.
    leased_until BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    last_status BIGINT NOT NULL,
    last_error  TEXT    NOT NULL
);
CREATE INDEX webhook_messages_webhook ON webhook_messages (webhook_id, created_at);
CREATE INDEX webhook_messages_due ON webhook_messages (next_at) WHERE state = 'pending';
