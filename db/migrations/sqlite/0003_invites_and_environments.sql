-- +goose Up

-- An invite lets one person, who has or proves the address, join a team.
CREATE TABLE invites (
    id           TEXT    PRIMARY KEY,
    team_id      TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    email        TEXT    NOT NULL,
    email_folded TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    -- SHA-256 of the code in the link.
    code_hash    BLOB    NOT NULL UNIQUE,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'accepted', 'revoked')),
    invited_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX invites_team ON invites (team_id, email_folded);

-- Usernames that a team has given up and that nobody else gets, so that what
-- names the old one does not find itself in another's team.
CREATE TABLE former_usernames (
    username   TEXT    PRIMARY KEY,
    team_id    TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX former_usernames_team ON former_usernames (team_id, created_at);

-- Teams that are the environments of one thing, such as production and staging.
-- The group is its teams; it has no row of its own.
CREATE TABLE environments (
    team_id    TEXT    PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    group_id   TEXT    NOT NULL,
    group_name TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (group_id, name)
) STRICT;

-- Keys that a team means to have and has not set yet.
CREATE TABLE expected_keys (
    team_id     TEXT    NOT NULL REFERENCES teams ON DELETE CASCADE,
    key         TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (team_id, key)
) STRICT;
