package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Purpose says what a sealed record is, so that one kind never opens as another.
type Purpose string

// The purposes of records that a DEK seals.
const (
	// SecretValue is the value of one version of a secret.
	SecretValue Purpose = "secret-value"
	// SecretHint is the masked form that lists show. It is sealed apart from
	// the value, so that listing never opens a value.
	SecretHint Purpose = "secret-hint"
	// IntegrationToken is the token that a connected integration gave.
	IntegrationToken Purpose = "integration-token"
	// WebhookSecret is what signs the messages to one endpoint of a team.
	WebhookSecret Purpose = "webhook-secret"
	// TOTPSeed is the seed of a person's authenticator app; the place of the
	// team in its associated data has the id of the person.
	TOTPSeed Purpose = "totp-seed"
	// IssuerKey is a private key with which this server signs as an issuer; the
	// place of the team in its associated data has the id of the key.
	IssuerKey Purpose = "issuer-key"
)

// The purposes of what the KEK itself seals. A DEK refuses them.
const (
	purposeDEK   Purpose = "dek"
	purposeCheck Purpose = "kek-check"
)

// AssociatedData is the place that a record belongs to. It is authenticated
// and not stored: whoever opens a record says where it was found, and it opens
// only where it was sealed. All four fields are required.
type AssociatedData struct {
	Purpose Purpose
	Team    string // the team's id, which never changes and is never used again
	Key     string // the secret's key, or the id of what else the record is of
	Version int64  // from 1
}

func (ad AssociatedData) validate() error {
	switch ad.Purpose {
	case SecretValue, SecretHint, IntegrationToken, WebhookSecret, TOTPSeed, IssuerKey:
	default:
		return fmt.Errorf("associated data: %q is no purpose of a record", string(ad.Purpose))
	}
	if ad.Team == "" {
		return errors.New("associated data: the team is empty")
	}
	if ad.Key == "" {
		return errors.New("associated data: the key is empty")
	}
	if ad.Version < 1 {
		return fmt.Errorf("associated data: version %d is not positive", ad.Version)
	}
	return nil
}

// associatedDataV1 begins every encoding: the name keeps a KEK that is shared
// with another program from mixing up records, the last byte is the version of
// the encoding.
const associatedDataV1 = "infsh\x01"

// encode is injective: every string is preceded by its length in bytes, and
// every integer is 8 bytes, big-endian, so that no two different values of
// AssociatedData have the same encoding. docs/format.md shows an example.
func (ad AssociatedData) encode() []byte {
	b := make([]byte, 0, len(associatedDataV1)+4*8+len(ad.Purpose)+len(ad.Team)+len(ad.Key))
	b = append(b, associatedDataV1...)
	for _, field := range [...]string{string(ad.Purpose), ad.Team, ad.Key} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(ad.Version))
}
