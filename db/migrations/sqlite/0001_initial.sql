-- +goose Up

-- Times are microseconds since 1970 UTC, so that both databases hold and order
-- them alike. Hashes of tokens are SHA-256, raw.

CREATE TABLE stores (
    -- One row. The KEK check proves at start that the configured KEK belongs
    -- to this store; see docs/format.md.
    singleton   INTEGER PRIMARY KEY CHECK (singleton = 1),
    id          TEXT    NOT NULL,
    kek_id      TEXT    NOT NULL,
    kek_check   BLOB    NOT NULL,
    -- The KEK that is being replaced, while teams may have a DEK wrapped by it.
    old_kek_id    TEXT    NOT NULL DEFAULT '',
    old_kek_check BLOB    NOT NULL DEFAULT x'',
    -- When the rotation of all DEKs began that has not ended; 0 if there is none.
    dek_rotation_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE users (
    id            TEXT    PRIMARY KEY,
    email         TEXT    NOT NULL,
    -- The address with case folded and outer spaces gone: what is compared.
    email_folded  TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE teams (
    id               TEXT    PRIMARY KEY,
    username         TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    members_may_edit INTEGER NOT NULL DEFAULT 0,
    -- The team's DEK keyset, wrapped by the KEK. Deleting the row is what
    -- makes the team's ciphertexts worthless, in backups too.
    wrapped_dek      BLOB    NOT NULL,
    -- Names the KEK that wraps it, for whom a rotation still has to visit.
    kek_id           TEXT    NOT NULL DEFAULT '',
    -- When the last rotation of the DEK ended; its creation at first.
    dek_rotated_at   INTEGER NOT NULL DEFAULT 0,
    created_by       TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE memberships (
    team_id    TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id    TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (team_id, user_id)
) STRICT;
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE setup_codes (
    code_hash  BLOB    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash   BLOB    PRIMARY KEY,
    -- Names the session in the audit log, and stays when the token changes.
    id           TEXT    NOT NULL UNIQUE,
    user_id      TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    team_id      TEXT    NOT NULL,
    csrf_token   TEXT    NOT NULL,
    remote_addr  TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    -- 'key' acts in one team; 'login' is a command line's login, and acts in
    -- any team of its user (team_id is the one to start with).
    kind         TEXT    NOT NULL CHECK (kind IN ('key', 'login')),
    team_id      TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id      TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    token_hash   BLOB    NOT NULL UNIQUE,
    last_four    TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    expires_at   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_keys_team ON api_keys (team_id);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE device_logins (
    device_hash BLOB    PRIMARY KEY,
    user_code   TEXT    NOT NULL UNIQUE,
    client_name TEXT    NOT NULL,
    remote_addr TEXT    NOT NULL,
    -- The address, or the /64 of an IPv6 one: what is counted.
    network     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    user_id     TEXT    NOT NULL DEFAULT '',
    team_id     TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    polled_at   INTEGER NOT NULL DEFAULT 0,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE throttles (
    -- The SHA-256, in hex, of what is counted: an account, an address, or both.
    bucket     TEXT    PRIMARY KEY,
    failures   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
    id          TEXT    PRIMARY KEY,
    team_id     TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    key         TEXT    NOT NULL,
    description TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    created_by  TEXT    NOT NULL,
    updated_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (team_id, key)
) STRICT;

CREATE TABLE secret_versions (
    team_id    TEXT    NOT NULL,
    secret_id  TEXT    NOT NULL REFERENCES secrets ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    value      BLOB    NOT NULL,
    hint       BLOB    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (team_id, secret_id, version)
) STRICT;

CREATE TABLE apps (
    id          TEXT    PRIMARY KEY,
    team_id     TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    namespace   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    version_id  TEXT    NOT NULL,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (team_id, namespace, name)
) STRICT;

CREATE TABLE app_versions (
    id           TEXT    PRIMARY KEY,
    team_id      TEXT    NOT NULL,
    app_id       TEXT    NOT NULL REFERENCES apps ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    -- SHA-256 of what the version declares, in hex. A version never changes.
    digest       TEXT    NOT NULL,
    requirements TEXT    NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (app_id, number)
) STRICT;

-- The end of each team's chain of audit entries. Whoever appends locks its row.
-- The empty team_id is the chain of entries without a team.
CREATE TABLE audit_chains (
    team_id TEXT    PRIMARY KEY,
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL
) STRICT;

CREATE TABLE audit_entries (
    -- No foreign key: entries outlive the team.
    team_id       TEXT    NOT NULL,
    -- Dense from 1 in each team.
    seq           INTEGER NOT NULL,
    id            TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    actor_kind    TEXT    NOT NULL,
    actor_id      TEXT    NOT NULL,
    actor_name    TEXT    NOT NULL,
    credential_id TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    outcome       TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    remote_addr   TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    run_id        TEXT    NOT NULL,
    versions      TEXT    NOT NULL,
    -- SHA-256 over the hash of the entry before and this one; see docs/format.md.
    hash          BLOB    NOT NULL,
    PRIMARY KEY (team_id, seq)
) STRICT;
CREATE INDEX audit_entries_target ON audit_entries (team_id, action, target, seq);
