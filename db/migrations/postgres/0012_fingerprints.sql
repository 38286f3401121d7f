-- +goose Up

-- One row: the key of the fingerprints of values, sealed by the KEK. Without it
-- they are made anew, so it is in no backup.
CREATE TABLE fingerprint_keys (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    sealed    BYTEA NOT NULL
);

-- What tells that two values are equal, sealed under that key: nobody who reads
-- the database can tell. A version without a row gets one when it is asked for.
CREATE TABLE secret_fingerprints (
    team_id   TEXT   NOT NULL,
    secret_id TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    sealed    BYTEA NOT NULL,
    PRIMARY KEY (team_id, secret_id, version),
    FOREIGN KEY (team_id, secret_id, version) REFERENCES secret_versions ON DELETE CASCADE
);
