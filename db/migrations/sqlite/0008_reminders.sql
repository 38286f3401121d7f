-- +goose Up

-- After how many days a secret's value is to be replaced by a new one; 0 for no
-- reminder. It says something to people, and stops nothing.
ALTER TABLE secrets ADD COLUMN rotate_every_days INTEGER NOT NULL DEFAULT 0;

-- When the value of a version ends at its provider; 0 if that is not known.
ALTER TABLE secret_versions ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
-- When the value was first stored, where that was in another version, which a
-- rollback made this one of; 0 where it was in this one.
ALTER TABLE secret_versions ADD COLUMN value_from INTEGER NOT NULL DEFAULT 0;

CREATE INDEX secrets_reminded ON secrets (team_id) WHERE rotate_every_days > 0;
CREATE INDEX secret_versions_ending ON secret_versions (team_id) WHERE expires_at > 0;
