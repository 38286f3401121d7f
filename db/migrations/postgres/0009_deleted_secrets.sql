-- +goose Up

-- Secrets that were deleted a moment ago: nothing but an undo finds them here,
-- and they are erased soon. content has their rows as they were, in JSON; their
-- values are sealed as before.
CREATE TABLE deleted_secrets (
    -- The secrets of one deletion have its id in common.
    deletion_id TEXT    NOT NULL,
    team_id     TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    secret_id   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    version     BIGINT NOT NULL,
    deleted_at  BIGINT NOT NULL,
    content     BYTEA    NOT NULL,
    PRIMARY KEY (team_id, deletion_id, secret_id)
);
CREATE INDEX deleted_secrets_at ON deleted_secrets (deleted_at);
