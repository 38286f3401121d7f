package rotation

import (
	"bytes"
	"context"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
)

// KEKs says which KEK a store uses, and which one it replaces.
type KEKs struct {
	StoreID string
	ID      string
	Check   []byte
	// OldID and OldCheck are empty except while a rotation is under way.
	OldID    string
	OldCheck []byte
}

func (k KEKs) equal(o KEKs) bool {
	return k.StoreID == o.StoreID && bytes.Equal(k.Check, o.Check) && bytes.Equal(k.OldCheck, o.OldCheck)
}

// TeamKey is a team's wrapped DEK.
type TeamKey struct {
	TeamID, Username string
	// Person says that it is no team's: TeamID and Username are a person's id
	// and address, and the DEK seals the seed of the person's authenticator app.
	Person bool
	// Issuer says that it is that of a key with which the server signs as an
	// issuer: TeamID is the key's id.
	Issuer     bool
	WrappedDEK []byte
	// KEKID names the KEK that wraps it.
	KEKID string
	// RotatedAt is when the last rotation of the DEK ended.
	RotatedAt time.Time
}

// What is the purpose of something that a DEK sealed.
type What = envelope.Purpose

const (
	OfSecret      What = envelope.SecretValue
	OfWebhook     What = envelope.WebhookSecret
	OfIntegration What = envelope.IntegrationToken
)

// Version is a sealed version of a secret, or what else a DEK sealed.
type Version struct {
	SecretID string
	Key      envvar.Key
	Number   int64
	Value    []byte
	Hint     []byte
	// Of says what was sealed. Of what is no version of a secret, SecretID and Key
	// are the id of the webhook, or of the integration or its client, and there is
	// no hint.
	Of What
}

// Reader reads one consistent snapshot.
type Reader interface {
	// FingerprintKey returns the key of the store's fingerprints as the KEK seals
	// it, nil if there is none.
	FingerprintKey(ctx context.Context) ([]byte, error)
	// KEKs reads what the store says of its KEKs.
	KEKs(ctx context.Context) (KEKs, error)
	// TeamKey finds a team by id; problem.NotFound if there is none.
	TeamKey(ctx context.Context, teamID string) (TeamKey, error)
	// TeamKeyByName finds a team by username; problem.NotFound if there is none.
	TeamKeyByName(ctx context.Context, username string) (TeamKey, error)
	// TeamsNotWrappedBy returns teams, people and keys of the issuer whose DEK
	// another KEK wraps, by id, those after the given id.
	TeamsNotWrappedBy(ctx context.Context, kekID, after string, limit int) ([]TeamKey, error)
	CountTeamsNotWrappedBy(ctx context.Context, kekID string) (int, error)
	// TeamsRotatedBefore returns teams whose DEK was rotated before a time, by
	// id, those after the given id.
	TeamsRotatedBefore(ctx context.Context, at time.Time, after string, limit int) ([]TeamKey, error)
	// CountVersionsRotatedBefore counts the versions of those teams.
	CountVersionsRotatedBefore(ctx context.Context, at time.Time) (int, error)
	// VersionsNotSealedBy returns versions whose value or hint does not begin
	// with the prefix of a key, by secret and number, those after the given one.
	VersionsNotSealedBy(ctx context.Context, teamID string, prefix []byte, after Version, limit int) ([]Version, error)
	CountVersionsNotSealedBy(ctx context.Context, teamID string, prefix []byte) (int, error)
}

// Tx is a transaction: all or nothing, with its audit entries.
type Tx interface {
	Reader
	audit.Log
	// LockKEKs reads KEKs, after waiting for those who make a team or replace
	// a DEK, and lets no other do so until the transaction ends.
	LockKEKs(ctx context.Context) (KEKs, error)
	// SetKEKs stores them.
	SetKEKs(ctx context.Context, k KEKs) error
	// SetFingerprintKey stores the key of the store's fingerprints, as another KEK
	// seals it.
	SetFingerprintKey(ctx context.Context, sealed []byte) error
	// ReplaceDEK stores a team's DEK if it is still the old one and if the
	// store still uses the KEK of the check; ok tells. It waits for those who
	// write the team's secrets.
	ReplaceDEK(ctx context.Context, kekCheck []byte, old, replacement TeamKey) (ok bool, err error)
	// Reseal stores a version's ciphertexts if they are still the old ones; ok
	// tells.
	Reseal(ctx context.Context, teamID string, old Version, value, hint []byte) (ok bool, err error)
	// BeginDEKRotation stores that all DEKs are to be rotated, and returns
	// since when: another time than now if that was so already.
	BeginDEKRotation(ctx context.Context, now time.Time) (since time.Time, err error)
	EndDEKRotation(ctx context.Context) error
}

// Store keeps the keys. Update runs fn in a transaction and may run it again
// after a serialization failure, so fn has no effect but through its Tx.
type Store interface {
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}
