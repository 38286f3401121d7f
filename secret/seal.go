package secret

import (
	"errors"
	"fmt"

	"infsh/envelope"
	"infsh/redact"
)

// seal encrypts a value and its mask as a version of r. The mask is sealed on
// its own, so that listing secrets never opens a value.
func seal(dek *envelope.DEK, r Record, number int64, v redact.Value) (Sealed, error) {
	value, err := dek.Seal(associated(envelope.SecretValue, r, number), []byte(v.Reveal()))
	if err != nil {
		return Sealed{}, fmt.Errorf("seal %s: %w", r.Key, err)
	}
	hint, err := dek.Seal(associated(envelope.SecretHint, r, number), []byte(Mask(v)))
	if err != nil {
		return Sealed{}, fmt.Errorf("seal the hint of %s: %w", r.Key, err)
	}
	return Sealed{Number: number, Value: value, Hint: hint}, nil
}

// open decrypts a kept version of r.
func open(dek *envelope.DEK, r Record, sealed Sealed) (redact.Value, error) {
	plain, err := dek.Open(associated(envelope.SecretValue, r, sealed.Number), sealed.Value)
	if err != nil {
		return redact.Value{}, corrupt(r, err)
	}
	return redact.NewValue(string(plain)), nil
}

// shown opens a record's mask, and no more.
func (s *Service) shown(dek *envelope.DEK, r Record) (Secret, error) {
	mask, err := mask(dek, r, r.shown(), r.Hint)
	if err != nil {
		return Secret{}, err
	}
	life := r.Life
	if r.Version == 0 {
		life = Life{RotateEvery: r.RotateEvery}
	}
	return Secret{
		ID: r.ID, TeamID: r.TeamID, Key: r.Key, Masked: mask, Description: r.Description, Version: r.Version, StagedVersion: r.StagedVersion,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, CreatedByID: r.CreatedByID, UpdatedBy: r.UpdatedBy, Life: life,
	}, nil
}

// mask opens the mask of a version of r.
func mask(dek *envelope.DEK, r Record, number int64, hint []byte) (string, error) {
	plain, err := dek.Open(associated(envelope.SecretHint, r, number), hint)
	if err != nil {
		return "", corrupt(r, err)
	}
	return string(plain), nil
}

// ErrCorrupt is a row that does not open: changed, moved from elsewhere, or
// sealed under a key that this team hasn't got.
var ErrCorrupt = errors.New("the stored secret does not open; it was changed or moved in the database")

func corrupt(r Record, err error) error {
	return fmt.Errorf("%s of team %s: %w: %w", r.Key, r.TeamID, ErrCorrupt, err)
}

func associated(p envelope.Purpose, r Record, version int64) envelope.AssociatedData {
	return envelope.AssociatedData{Purpose: p, Team: r.TeamID, Key: string(r.Key), Version: version}
}
