-- +goose Up

-- A team's own client of OAuth at a provider. Its secret is in integration_values.
CREATE TABLE integration_clients (
    id         TEXT    PRIMARY KEY,
    team_id    TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    provider   TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (team_id, provider, type)
) STRICT;

-- An account of a team at a provider. Its tokens are in integration_values.
CREATE TABLE integrations (
    id           TEXT    PRIMARY KEY,
    team_id      TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    provider     TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    account_id   TEXT    NOT NULL,
    account_name TEXT    NOT NULL,
    -- Separated by spaces.
    scopes       TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('connected', 'expired', 'error')),
    problem      TEXT    NOT NULL,
    is_primary   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    -- When the access token ends, and when it is asked for anew; 0 for never.
    expires_at   INTEGER NOT NULL,
    refresh_at   INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    -- Until then one instance is asking for new tokens.
    leased_until INTEGER NOT NULL DEFAULT 0,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX integrations_team ON integrations (team_id);
CREATE INDEX integrations_due ON integrations (refresh_at) WHERE refresh_at > 0;

-- What is sealed of a connection or of a client, by its id, in its version.
CREATE TABLE integration_values (
    team_id  TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    owner_id TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    value    BLOB    NOT NULL,
    PRIMARY KEY (team_id, owner_id, version)
) STRICT;

-- Authorizations that wait for their person at the provider.
CREATE TABLE integration_flows (
    state_hash     BLOB    PRIMARY KEY,
    id             TEXT    NOT NULL,
    team_id        TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id        TEXT    NOT NULL,
    holder         TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    scopes         TEXT    NOT NULL,
    integration_id TEXT    NOT NULL,
    verifier       BLOB    NOT NULL,
    redirect       TEXT    NOT NULL,
    port           INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX integration_flows_team ON integration_flows (team_id);

-- +goose StatementBegin
CREATE TRIGGER integrations_inserted AFTER INSERT ON integrations BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
-- Who is refreshing it is no part of what a run receives.
CREATE TRIGGER integrations_updated AFTER UPDATE OF id, team_id, provider, type, account_id, account_name, scopes, status, problem, is_primary, version, expires_at,
    refresh_at, refreshed_at, failures, created_by, created_at, updated_at ON integrations BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER integrations_deleted AFTER DELETE ON integrations BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER integration_values_inserted AFTER INSERT ON integration_values BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER integration_values_updated AFTER UPDATE ON integration_values BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER integration_values_deleted AFTER DELETE ON integration_values BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd
