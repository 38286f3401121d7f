-- +goose Up

-- A person's authenticator app. The seed is sealed under a keyset of the
-- person's own, which the KEK wraps as it wraps those of teams. confirmed_at is
-- 0 until a code has shown that the app has the seed; last_step is the time step
-- of the last code that was used, and no code of it or before is taken again.
CREATE TABLE totp_factors (
    user_id      TEXT    PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    wrapped_dek  BYTEA NOT NULL,
    kek_id       TEXT    NOT NULL,
    seed         BYTEA NOT NULL,
    last_step    BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    confirmed_at BIGINT  NOT NULL
);

-- flags are those of the authenticator data (WebAuthn, section 6.1), as they
-- were last seen.
CREATE TABLE passkeys (
    id            TEXT    PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    credential_id BYTEA NOT NULL UNIQUE,
    public_key    BYTEA NOT NULL,
    aaguid        BYTEA NOT NULL,
    transports    TEXT    NOT NULL,
    flags         BIGINT  NOT NULL,
    sign_count    BIGINT  NOT NULL,
    created_at    BIGINT  NOT NULL,
    last_used_at  BIGINT  NOT NULL
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- The hashes of codes that were not used yet.
CREATE TABLE recovery_codes (
    user_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- Who has shown the right password and not yet the second factor.
CREATE TABLE pending_logins (
    token_hash BYTEA PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    -- 1 for one who joins a team by it.
    joining    BIGINT  NOT NULL,
    failures   BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX pending_logins_user ON pending_logins (user_id);

-- What a passkey is asked to sign, for the holder of a session, of a pending
-- login or of a cookie. It is used once.
CREATE TABLE passkey_challenges (
    holder     TEXT    PRIMARY KEY,
    network    TEXT    NOT NULL,
    ceremony   BYTEA NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX passkey_challenges_network ON passkey_challenges (network, created_at);
