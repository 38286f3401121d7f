-- +goose Up

-- Whom an OpenID Connect provider signs in. A person has one subject at each
-- issuer; the address is only shown.
CREATE TABLE identities (
    user_id      TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    email        TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT  NOT NULL,
    PRIMARY KEY (user_id, issuer),
    UNIQUE (issuer, subject)
);

-- Browsers that were sent to the provider, found by the SHA-256 of the state and
-- used once. session_id is empty for one that signs in.
CREATE TABLE sign_ons (
    state_hash   BYTEA   PRIMARY KEY,
    browser_hash BYTEA   NOT NULL,
    network      TEXT    NOT NULL,
    purpose      TEXT    NOT NULL,
    session_id   TEXT    NOT NULL,
    next         TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL
);
CREATE INDEX sign_ons_network ON sign_ons (network, created_at);

-- A sign-on looks for invites to its address in all teams.
CREATE INDEX invites_email ON invites (email_folded);
