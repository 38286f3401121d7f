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
