-- +goose Up

-- A number for each team that changes with each row of the team that a run's
-- answer is made of: what its key may do, what its app declares and is granted,
-- and the sealed values. So what was read before is what would be read now if
-- the number is the same. The database itself changes it, whoever writes. It is
-- moved by a random step, so that a database that was brought back to an earlier
-- moment doesn't come to the same number with other rows.
CREATE TABLE team_revisions (
    team_id    TEXT   PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    revision   BIGINT NOT NULL,
    -- The transaction that changed it, which needs to do so once. Its number
    -- alone may come again, in a server to which a dump was brought.
    changed_in BIGINT NOT NULL DEFAULT 0,
    changed_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 50);
INSERT INTO team_revisions (team_id, revision) SELECT id, 1 FROM teams;

-- +goose StatementBegin
CREATE FUNCTION revise_team(team text) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE team_revisions SET revision = revision + 1 + floor(random() * 65536)::bigint, changed_in = txid_current(), changed_at = transaction_timestamp()
    WHERE team_id = team AND (changed_in <> txid_current() OR changed_at <> transaction_timestamp());
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION revise_for_row() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM revise_team(OLD.team_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM revise_team(NEW.team_id);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION revise_for_team() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO team_revisions (team_id, revision) VALUES (NEW.id, 1 + floor(random() * 65536)::bigint);
    ELSE
        PERFORM revise_team(NEW.id);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION revise_for_user() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM revise_team(team_id) FROM (SELECT DISTINCT team_id FROM api_keys WHERE user_id = NEW.id ORDER BY team_id) AS t;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION revise_all() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE team_revisions SET revision = revision + 1 + floor(random() * 65536)::bigint;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER revise AFTER INSERT OR UPDATE ON teams FOR EACH ROW EXECUTE FUNCTION revise_for_team();
-- A user is in the answer by the address alone.
CREATE TRIGGER revise AFTER UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION revise_for_user();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION revise_for_row();
-- When a key was last used is no part of what it may do.
CREATE TRIGGER revise_changed AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.id, OLD.kind, OLD.team_id, OLD.user_id, OLD.name, OLD.token_hash, OLD.last_four, OLD.scopes, OLD.created_at, OLD.expires_at, OLD.service_role, OLD.app_id) IS DISTINCT FROM
        (NEW.id, NEW.kind, NEW.team_id, NEW.user_id, NEW.name, NEW.token_hash, NEW.last_four, NEW.scopes, NEW.created_at, NEW.expires_at, NEW.service_role, NEW.app_id))
    EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON apps FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON app_versions FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON app_grants FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON secrets FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise AFTER INSERT OR UPDATE OR DELETE ON secret_versions FOR EACH ROW EXECUTE FUNCTION revise_for_row();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON memberships FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON apps FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON app_versions FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON app_grants FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON secrets FOR EACH STATEMENT EXECUTE FUNCTION revise_all();
CREATE TRIGGER revise_truncated AFTER TRUNCATE ON secret_versions FOR EACH STATEMENT EXECUTE FUNCTION revise_all();

-- Each entry moves its chain's head: in its page, where there is room.
ALTER TABLE audit_chains SET (fillfactor = 50);
