-- +goose Up

-- A person's authenticator app. The seed is sealed under a keyset of the
-- person's own, which the KEK wraps as it wraps those of teams. confirmed_at is
-- 0 until a code has shown that the app has the seed; last_step is the time step
-- of the last code that was used, and no code of it or before is taken again.
CREATE TABLE totp_factors (
    user_id      TEXT    PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    wrapped_dek  BLOB    NOT NULL,
    kek_id       TEXT    NOT NULL,
    seed         BLOB    NOT NULL,
    last_step    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL
) STRICT;

-- flags are those of the authenticator data (WebAuthn, section 6.1), as they
-- were last seen.
CREATE TABLE passkeys (
    id            TEXT    PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    credential_id BLOB    NOT NULL UNIQUE,
    public_key    BLOB    NOT NULL,
    aaguid        BLOB    NOT NULL,
    transports    TEXT    NOT NULL,
    flags         INTEGER NOT NULL,
    sign_count    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX passkeys_user ON passkeys (user_id);

-- The hashes of codes that were not used yet.
CREATE TABLE recovery_codes (
    user_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash BLOB NOT NULL,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

-- Who has shown the right password and not yet the second factor.
CREATE TABLE pending_logins (
    token_hash BLOB    PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    -- 1 for one who joins a team by it.
    joining    INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX pending_logins_user ON pending_logins (user_id);

-- What a passkey is asked to sign, for the holder of a session, of a pending
-- login or of a cookie. It is used once.
CREATE TABLE passkey_challenges (
    holder     TEXT    PRIMARY KEY,
    network    TEXT    NOT NULL,
    ceremony   BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX passkey_challenges_network ON passkey_challenges (network, created_at);
