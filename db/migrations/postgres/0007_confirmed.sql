-- +goose Up

-- When the session's person last proved who they are: at the sign-in, and
-- whenever they were asked again. A session that was there before is asked.
ALTER TABLE sessions ADD COLUMN confirmed_at BIGINT NOT NULL DEFAULT 0;
