package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// purposeFingerprintKey is of the key of a store's fingerprints, which the KEK
// seals. purposeFingerprint is of what that key seals.
const (
	purposeFingerprintKey Purpose = "fingerprint-key"
	purposeFingerprint    Purpose = "secret-fingerprint"
)

// Fingerprint tells whether two values are equal, and nothing else to who has
// not the key: HMAC-SHA-256 (RFC 2104) of the value. It is never stored as it is,
// shown or compared but with Equal.
type Fingerprint struct{ mac [sha256.Size]byte }

// Equal compares in constant time.
func (f Fingerprint) Equal(o Fingerprint) bool { return hmac.Equal(f.mac[:], o.mac[:]) }

// String says nothing of the value.
func (f Fingerprint) String() string { return "fingerprint" }

// Format prints String for every verb.
func (f Fingerprint) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

// LogValue implements slog.LogValuer.
func (f Fingerprint) LogValue() slog.Value { return slog.StringValue(f.String()) }

// Fingerprints makes the fingerprints of a store's values, and seals them: equal
// values can't be told by whoever reads the database, not even by one who may set
// values of a team to compare.
type Fingerprints struct {
	// As in DEK, closures keep the keys out of reach of fmt and reflection.
	mac  func([]byte) Fingerprint
	aead func() cipher.AEAD
}

// WrapNewFingerprintKey makes the key of a store's fingerprints and returns it
// sealed by the key that sealed the store's check: docs/format.md.
func (k *KEK) WrapNewFingerprintKey(storeID string, check []byte) ([]byte, error) {
	k, err := k.InUse(storeID, check)
	if err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	defer clear(key)
	_, _ = rand.Read(key) // It never fails.
	return k.sealFingerprintKey(storeID, key)
}

// RewrapFingerprintKey seals the key of a store's fingerprints anew, for another
// KEK.
func (k *KEK) RewrapFingerprintKey(storeID string, wrapped []byte, to *KEK) ([]byte, error) {
	key, err := k.openFingerprintKey(storeID, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return to.sealFingerprintKey(storeID, key)
}

// OpenFingerprints opens the key of a store's fingerprints. The error is ErrOpen
// where it is not of this KEK and this store, and is ErrKEKUnavailable where a
// key service could not be asked.
func (k *KEK) OpenFingerprints(storeID string, wrapped []byte) (*Fingerprints, error) {
	key, err := k.openFingerprintKey(storeID, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	derived, err := hkdf.Expand(sha256.New, key, "infsh fingerprints v1", 2*keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of fingerprints: %w", err)
	}
	block, err := aes.NewCipher(derived[keySize:])
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of fingerprints: %w", err)
	}
	sealing, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of fingerprints: %w", err)
	}
	macKey := derived[:keySize:keySize]
	return &Fingerprints{
		mac: func(value []byte) (f Fingerprint) {
			h := hmac.New(sha256.New, macKey)
			h.Write(value)
			h.Sum(f.mac[:0])
			return f
		},
		aead: func() cipher.AEAD { return sealing },
	}, nil
}

// Of makes the fingerprint of a value.
func (f *Fingerprints) Of(value []byte) Fingerprint { return f.mac(value) }

// Seal encrypts a fingerprint for the place of a version of a secret.
func (f *Fingerprints) Seal(teamID, secretID string, version int64, print Fingerprint) []byte {
	return f.aead().Seal(nil, nil, print.mac[:], fingerprintData(teamID, secretID, version))
}

// Open returns ErrOpen for what was not sealed for this place with this key.
func (f *Fingerprints) Open(teamID, secretID string, version int64, sealed []byte) (out Fingerprint, err error) {
	mac, err := f.aead().Open(nil, nil, sealed, fingerprintData(teamID, secretID, version))
	if err != nil || len(mac) != len(out.mac) {
		return Fingerprint{}, ErrOpen
	}
	copy(out.mac[:], mac)
	return out, nil
}

func (k *KEK) sealFingerprintKey(storeID string, key []byte) ([]byte, error) {
	if storeID == "" {
		return nil, errors.New("sealing the key of fingerprints: the store id is empty")
	}
	sealed, err := k.providers().Encrypt(key, fingerprintKeyData(storeID))
	if err != nil {
		return nil, fmt.Errorf("sealing the key of fingerprints: %w", err)
	}
	return sealed, nil
}

func (k *KEK) openFingerprintKey(storeID string, wrapped []byte) ([]byte, error) {
	key, err := k.providers().Decrypt(wrapped, fingerprintKeyData(storeID))
	if errors.Is(err, ErrKEKUnavailable) {
		return nil, err
	}
	if err != nil || len(key) != keySize {
		return nil, ErrOpen
	}
	return key, nil
}

func fingerprintKeyData(storeID string) []byte {
	return AssociatedData{Purpose: purposeFingerprintKey, Key: storeID}.encode()
}

func fingerprintData(teamID, secretID string, version int64) []byte {
	return AssociatedData{Purpose: purposeFingerprint, Team: teamID, Key: secretID, Version: version}.encode()
}
