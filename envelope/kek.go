package envelope

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// KEK is the key encryption key. It wraps the keysets of teams and never
// touches a record. It prints as its ID.
//
// While one key replaces another, a KEK holds both: the first wraps, and each
// opens what it wrapped. See And.
type KEK struct {
	id    string
	cache *dekCache
	// As in DEK, a closure keeps key material out of reach of fmt and reflection.
	providers func() anyOf
}

// maxWrappedDEK, in bytes, is far above any real keyset (one key makes at most
// 141, each further key adds at most 102) and bounds what is hashed and opened.
const maxWrappedDEK = 64 << 10

// checkText is what SealCheck seals. Its content means nothing: the proof is
// that it authenticates.
const checkText = "infsh kek check"

func newKEK(providers ...provider) *KEK {
	return &KEK{id: providers[0].id(), cache: newDEKCache(maxCachedDEKs), providers: func() anyOf { return providers }}
}

// ID names the key that wraps and reveals nothing of it, so that it may be
// logged: for a key of a file or variable a fingerprint, "kek-" and 16
// hexadecimal digits; for Vault "hcvault:HOST/MOUNT/keys/NAME:vN".
func (k *KEK) ID() string { return k.id }

// And returns a KEK that wraps with k and opens what k or others wrapped.
func (k *KEK) And(others ...*KEK) *KEK {
	all := slices.Clone(k.providers())
	for _, o := range others {
		all = append(all, o.providers()...)
	}
	return newKEK(all...)
}

// InUse returns k with the key first, and therefore the one that wraps, that
// sealed the check of a store. ErrKEKWrong says that no key of k did.
func (k *KEK) InUse(storeID string, sealed []byte) (*KEK, error) {
	text, used, err := k.providers().decrypt(sealed, checkData(storeID))
	if errors.Is(err, ErrKEKUnavailable) {
		return nil, err
	}
	if err != nil || string(text) != checkText {
		return nil, ErrKEKWrong
	}
	all := k.providers()
	if used == all[0] {
		return k, nil
	}
	first := anyOf{used}
	for _, p := range all {
		if p != used {
			first = append(first, p)
		}
	}
	return &KEK{id: used.id(), cache: k.cache, providers: func() anyOf { return first }}, nil
}

// IDOf names the key that made wrapped, which must be a wrapping of k's first
// key. It differs from ID where a key service got a new version of its key
// meanwhile.
func (k *KEK) IDOf(wrapped []byte) string { return k.providers()[0].idOf(wrapped) }

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

// WrapDEKFor is WrapNewDEK with the key that sealed the check of a store, and
// tells its ID. A store without a check has no KEK yet, and gets k's first.
func (k *KEK) WrapDEKFor(storeID string, check []byte, team string) (wrapped []byte, kekID string, err error) {
	if len(check) > 0 {
		if k, err = k.InUse(storeID, check); err != nil {
			return nil, "", err
		}
	}
	if wrapped, err = k.WrapNewDEK(team); err != nil {
		return nil, "", err
	}
	return wrapped, k.IDOf(wrapped), nil
}

// OpenDEK unwraps the keyset of a team. Opened keysets are kept in a bounded
// cache, keyed by team and by the hash of wrapped. The error is ErrOpen where
// wrapped is not of this KEK and this team, and is ErrKEKUnavailable where a
// key service could not be asked.
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
	dek, err := newDEK(team, h)
	if err != nil {
		return nil, err
	}
	k.cache.put(key, dek)
	return dek, nil
}

// Rewrap wraps the keyset of a team anew, for another KEK. Records stay as
// they are, since the keyset itself does not change.
func (k *KEK) Rewrap(team string, wrapped []byte, to *KEK) ([]byte, error) {
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
	return k.providers().Encrypt([]byte(checkText), checkData(storeID))
}

// VerifyCheck returns ErrKEKWrong unless a key of this KEK sealed the check for
// this store, and an error that is ErrKEKUnavailable where that can't be told.
func (k *KEK) VerifyCheck(storeID string, sealed []byte) error {
	_, err := k.InUse(storeID, sealed)
	return err
}

func (k *KEK) wrap(team string, h *keyset.Handle) ([]byte, error) {
	var out sealedKeyset
	if err := h.WriteWithAssociatedData(&out, k.providers(), dekData(team)); err != nil {
		return nil, fmt.Errorf("wrapping a data key: %w", err)
	}
	return out.ciphertext, nil
}

func (k *KEK) unwrap(team string, wrapped []byte) (*keyset.Handle, error) {
	if team == "" || len(wrapped) > maxWrappedDEK {
		return nil, ErrOpen
	}
	opener := keysetOpener{anyOf: k.providers()}
	h, err := keyset.ReadWithAssociatedData(&sealedKeyset{wrapped}, &opener, dekData(team))
	switch {
	case errors.Is(opener.err, ErrKEKUnavailable):
		return nil, opener.err
	case err != nil:
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
