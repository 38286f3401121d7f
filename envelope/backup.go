package envelope

import (
	"bytes"
	"errors"
	"fmt"
)

// purposeBackup is of what the KEK seals of a backup. A DEK refuses it.
const purposeBackup Purpose = "backup"

// SealBackup seals the digest of a backup of a store, so that whoever restores
// it can tell that a holder of this KEK made it: a bare digest, anyone can make
// anew for an altered file.
func (k *KEK) SealBackup(storeID string, digest []byte) ([]byte, error) {
	if storeID == "" || len(digest) == 0 {
		return nil, errors.New("sealing a backup: the store id or the digest is empty")
	}
	sealed, err := k.providers().Encrypt(digest, backupData(storeID))
	if err != nil {
		return nil, fmt.Errorf("sealing a backup: %w", err)
	}
	return sealed, nil
}

// VerifyBackup returns ErrOpen unless a key of this KEK sealed this digest for a
// backup of this store, and an error that is ErrKEKUnavailable where that can't
// be told.
func (k *KEK) VerifyBackup(storeID string, digest, sealed []byte) error {
	opened, err := k.providers().Decrypt(sealed, backupData(storeID))
	if errors.Is(err, ErrKEKUnavailable) {
		return err
	}
	if err != nil || len(digest) == 0 || !bytes.Equal(opened, digest) {
		return ErrOpen
	}
	return nil
}

func backupData(storeID string) []byte {
	return AssociatedData{Purpose: purposeBackup, Key: storeID}.encode()
}
