-- +goose Up

-- A number for each team that changes with each row of the team that a run's
-- answer is made of: what its key may do, what its app declares and is granted,
-- and the sealed values. So what was read before is what would be read now if
-- the number is the same. The database itself changes it, whoever writes. It is
-- moved by a random step, so that a store that was brought back to an earlier
-- moment doesn't come to the same number with other rows.
CREATE TABLE team_revisions (
    team_id  TEXT    PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO team_revisions (team_id, revision) SELECT id, 1 FROM teams;

-- +goose StatementBegin
CREATE TRIGGER teams_inserted AFTER INSERT ON teams BEGIN
    INSERT INTO team_revisions (team_id, revision) VALUES (NEW.id, 1 + abs(random() % 65536));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER teams_updated AFTER UPDATE ON teams BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
-- A user is in the answer by the address alone.
CREATE TRIGGER users_updated AFTER UPDATE OF email ON users BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (SELECT team_id FROM api_keys WHERE user_id = NEW.id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER api_keys_inserted AFTER INSERT ON api_keys BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
-- When a key was last used is no part of what it may do.
CREATE TRIGGER api_keys_updated AFTER UPDATE ON api_keys
    WHEN (OLD.id, OLD.kind, OLD.team_id, OLD.user_id, OLD.name, OLD.token_hash, OLD.last_four, OLD.scopes, OLD.created_at, OLD.expires_at, OLD.service_role, OLD.app_id) IS NOT
        (NEW.id, NEW.kind, NEW.team_id, NEW.user_id, NEW.name, NEW.token_hash, NEW.last_four, NEW.scopes, NEW.created_at, NEW.expires_at, NEW.service_role, NEW.app_id) BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER memberships_inserted AFTER INSERT ON memberships BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER memberships_updated AFTER UPDATE ON memberships BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER memberships_deleted AFTER DELETE ON memberships BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER apps_inserted AFTER INSERT ON apps BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER apps_updated AFTER UPDATE ON apps BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER apps_deleted AFTER DELETE ON apps BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_versions_inserted AFTER INSERT ON app_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_versions_updated AFTER UPDATE ON app_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_versions_deleted AFTER DELETE ON app_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_grants_inserted AFTER INSERT ON app_grants BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_grants_updated AFTER UPDATE ON app_grants BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER app_grants_deleted AFTER DELETE ON app_grants BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secrets_inserted AFTER INSERT ON secrets BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secrets_updated AFTER UPDATE ON secrets BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secrets_deleted AFTER DELETE ON secrets BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secret_versions_inserted AFTER INSERT ON secret_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = NEW.team_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secret_versions_updated AFTER UPDATE ON secret_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id IN (OLD.team_id, NEW.team_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER secret_versions_deleted AFTER DELETE ON secret_versions BEGIN
    UPDATE team_revisions SET revision = revision + 1 + abs(random() % 65536) WHERE team_id = OLD.team_id;
END;
-- +goose StatementEnd
