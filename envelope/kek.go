package envelope

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KEK is the key encryption key. It wraps the keysets of teams and never
// touches a record. It prints as its ID.
type KEK struct {
	id    string
	cache *dekCache
	// As in DEK, a closure keeps key material out of reach of fmt and reflection.
	aead func() tink.AEAD
}

// maxWrappedDEK, in bytes, is far above any real keyset (one key makes at most
// 141, each further key adds at most 102) and bounds what is hashed and opened.
const maxWrappedDEK = 64 << 10

// checkText is what SealCheck seals. Its content means nothing: the proof is
// that it authenticates.
const checkText = "infsh kek check"

func newKEK(h *keyset.Handle) (*KEK, error) {
	primitive, err := openKeyset(h)
	if err != nil {
		return nil, err
	}
	id, err := fingerprint(h)
	if err != nil {
		return nil, err
	}
	return &KEK{id: id, cache: newDEKCache(maxCachedDEKs), aead: func() tink.AEAD { return primitive }}, nil
}

// ID is a fingerprint of the primary key, "kek-" and 16 hexadecimal digits.
// It tells keys apart and reveals nothing of them, so that it may be logged.
func (k *KEK) ID() string { return k.id }

// WrapNewDEK makes a keyset with one new AES-256-GCM key for the team and
// returns it wrapped, to be stored: docs/format.md, "Wrapped DEK".
func (k *KEK) WrapNewDEK(team string) (wrapped []byte, err error) {
	if team == "" {
		return nil, errors.New("making a data key: the team is empty")
	}
	h, err := newKeyset()
	if err != nil {
		return nil, fmt.Errorf("making a data key: %w", err)
	}
	return k.wrap(team, h)
}

// OpenDEK unwraps the keyset of a team. Opened keysets are kept in a bounded
// cache, keyed by team and by the hash of wrapped. The error is ErrOpen where
// wrapped is not of this KEK and this team.
func (k *KEK) OpenDEK(team string, wrapped []byte) (*DEK, error) {
	if team == "" || len(wrapped) > maxWrappedDEK {
		return nil, ErrOpen
	}
	key := cacheKey{team: team, wrapped: sha256.Sum256(wrapped)}
	if dek, ok := k.cache.get(key); ok {
		return dek, nil
	}
	h, err := k.unwrap(team, wrapped)
	if err != nil {
		return nil, err
	}
	primitive, err := openKeyset(h)
	if err != nil {
		return nil, ErrOpen
	}
	dek := &DEK{team: team, aead: func() tink.AEAD { return primitive }}
	k.cache.put(key, dek)
	return dek, nil
}

// Rewrap wraps the keyset of a team anew, for another KEK. Records stay as
// they are, since the keyset itself does not change.
func (k *KEK) Rewrap(team string, wrapped []byte, to *KEK) ([]byte, error) {
	if team == "" || len(wrapped) > maxWrappedDEK {
		return nil, ErrOpen
	}
	h, err := k.unwrap(team, wrapped)
	if err != nil {
		return nil, err
	}
	return to.wrap(team, h)
}

// SealCheck seals a constant for a store. Kept in the store, it lets
// VerifyCheck tell at start whether a KEK belongs to the data.
func (k *KEK) SealCheck(storeID string) ([]byte, error) {
	if storeID == "" {
		return nil, errors.New("sealing the KEK check: the store id is empty")
	}
	return k.aead().Encrypt([]byte(checkText), checkData(storeID))
}

// VerifyCheck returns ErrKEKWrong unless this KEK, or an older key in its
// keyset, sealed the check for this store.
func (k *KEK) VerifyCheck(storeID string, sealed []byte) error {
	text, err := k.aead().Decrypt(sealed, checkData(storeID))
	if err != nil || string(text) != checkText {
		return ErrKEKWrong
	}
	return nil
}

func (k *KEK) wrap(team string, h *keyset.Handle) ([]byte, error) {
	var out sealedKeyset
	if err := h.WriteWithAssociatedData(&out, k.aead(), dekData(team)); err != nil {
		return nil, fmt.Errorf("wrapping a data key: %w", err)
	}
	return out.ciphertext, nil
}

func (k *KEK) unwrap(team string, wrapped []byte) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(&sealedKeyset{wrapped}, k.aead(), dekData(team))
	if err != nil {
		return nil, ErrOpen
	}
	return h, nil
}

// What the KEK seals has the same associated data as records, with purposes
// of its own: a keyset belongs to a team, the check to a store.
func dekData(team string) []byte { return AssociatedData{Purpose: purposeDEK, Team: team}.encode() }
func checkData(storeID string) []byte {
	return AssociatedData{Purpose: purposeCheck, Key: storeID}.encode()
}

// String is the ID.
func (k KEK) String() string { return k.id }

// Format prints the ID for every verb, so that no verb walks the fields.
func (k KEK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.id) }

// LogValue implements slog.LogValuer.
func (k KEK) LogValue() slog.Value { return slog.StringValue(k.id) }

// MarshalText implements encoding.TextMarshaler.
func (k KEK) MarshalText() ([]byte, error) { return []byte(k.id), nil }
