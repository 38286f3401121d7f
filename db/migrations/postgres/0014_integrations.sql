-- +goose Up

-- A team's own client of OAuth at a provider. Its secret is in integration_values.
CREATE TABLE integration_clients (
    id         TEXT    PRIMARY KEY,
    team_id    TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    provider   TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    client_id  TEXT    NOT NULL,
    version    BIGINT  NOT NULL,
    created_by TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    UNIQUE (team_id, provider, type)
);

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
    is_primary   BIGINT  NOT NULL,
    version      BIGINT  NOT NULL,
    -- When the access token ends, and when it is asked for anew; 0 for never.
    expires_at   BIGINT  NOT NULL,
    refresh_at   BIGINT  NOT NULL,
    refreshed_at BIGINT  NOT NULL,
    failures     BIGINT  NOT NULL,
    -- Until then one instance is asking for new tokens.
    leased_until BIGINT  NOT NULL DEFAULT 0,
    created_by   TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL
);
CREATE INDEX integrations_team ON integrations (team_id);
CREATE INDEX integrations_due ON integrations (refresh_at) WHERE refresh_at > 0;

-- What is sealed of a connection or of a client, by its id, in its version.
CREATE TABLE integration_values (
    team_id  TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    owner_id TEXT    NOT NULL,
    version  BIGINT  NOT NULL,
    value    BYTEA   NOT NULL,
    PRIMARY KEY (team_id, owner_id, version)
);

-- Authorizations that wait for their person at the provider.
CREATE TABLE integration_flows (
    state_hash     BYTEA   PRIMARY KEY,
    id             TEXT    NOT NULL,
    team_id        TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id        TEXT    NOT NULL,
    holder         TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    scopes         TEXT    NOT NULL,
    integration_id TEXT    NOT NULL,
    verifier       BYTEA   NOT NULL,
    redirect       TEXT    NOT NULL,
    port           BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL
);
CREATE INDEX integration_flows_team ON integration_flows (team_id);

CREATE TRIGGER revise AFTER INSERT OR DELETE ON integrations FOR EACH ROW EXECUTE FUNCTION revise_for_row();
-- Who is refreshing it is no part of what a run receives.
CREATE TRIGGER revise_changed AFTER UPDATE OF id, team_id, provider, type, account_id, account_name, scopes, status, problem, is_primary, version, expires_at,
    refresh_at, refreshed_at, failures, created_by, created_at, updated_at ON integrations FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON integration_values FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON integrations FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON integration_values FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
