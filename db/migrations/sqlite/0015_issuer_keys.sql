-- +goose Up

-- The keys with which the server signs as an issuer of OpenID Connect. Each is
-- sealed by a keyset of its own, in whose place of a team is the key's id; which
-- key is public follows from the private one alone, so that nobody who writes
-- here has another one published.
CREATE TABLE issuer_keys (
    id          TEXT    PRIMARY KEY,
    wrapped_dek BLOB    NOT NULL,
    kek_id      TEXT    NOT NULL,
    private_key BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    -- It signs until another one does.
    signs_from  INTEGER NOT NULL
) STRICT;
