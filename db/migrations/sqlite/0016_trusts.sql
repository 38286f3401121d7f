-- +goose Up

-- Issuers whose tokens a team trusts, under conditions.
CREATE TABLE trusts (
    id           TEXT    PRIMARY KEY,
    team_id      TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    preset       TEXT    NOT NULL,
    issuer       TEXT    NOT NULL,
    -- Whom a token must be for; empty for this server's public URL.
    audience     TEXT    NOT NULL,
    -- The issuer's public keys, where this server can't ask for them; else empty.
    jwks         TEXT    NOT NULL,
    -- A JSON array, as package federation writes it.
    conditions   TEXT    NOT NULL,
    -- A token may be exchanged again until it ends.
    reuse        INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    last_subject TEXT    NOT NULL DEFAULT '',
    UNIQUE (team_id, name)
) STRICT;

-- The apps that a trust is for. An app that is made later under the same name is
-- another one.
CREATE TABLE trust_apps (
    trust_id TEXT NOT NULL REFERENCES trusts ON DELETE CASCADE,
    app_id   TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
    team_id  TEXT NOT NULL,
    PRIMARY KEY (trust_id, app_id)
) STRICT;
CREATE INDEX trust_apps_app ON trust_apps (app_id);

-- What tokens were exchanged for, for a quarter of an hour. A credential ends with
-- its trust and with its app, and so with its team, which it does not refer to: an
-- exchange holds the trust's row, and who edits the trust holds the team's first.
CREATE TABLE runner_credentials (
    token_hash BLOB    PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    team_id    TEXT    NOT NULL,
    trust_id   TEXT    NOT NULL,
    app_id     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (trust_id, app_id) REFERENCES trust_apps ON DELETE CASCADE
) STRICT;
CREATE INDEX runner_credentials_trust ON runner_credentials (trust_id, app_id);
CREATE INDEX runner_credentials_expires ON runner_credentials (expires_at);

-- Tokens that were exchanged, until an hour after their end: SHA-256 of the team and
-- of what is signed of them.
CREATE TABLE used_tokens (
    token_hash BLOB    PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX used_tokens_expires ON used_tokens (expires_at);
