package envelope

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// AddDEKKey returns the team's keyset with one more key, which seals from then
// on. The older keys stay and open what they sealed. The keyset is wrapped by
// k's first key, whichever key wrapped it before.
func (k *KEK) AddDEKKey(team string, wrapped []byte) ([]byte, error) {
	return k.change(team, wrapped, func(m *keyset.Manager, _ *keyset.Handle) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// DropOldDEKKeys returns the team's keyset with the sealing key alone. What
// other keys sealed opens no more, so the caller has made sure that nothing is
// left of it.
func (k *KEK) DropOldDEKKeys(team string, wrapped []byte) ([]byte, error) {
	return k.change(team, wrapped, func(m *keyset.Manager, h *keyset.Handle) error {
		for i := range h.Len() {
			entry, err := h.Entry(i)
			if err != nil {
				return err
			}
			if entry.IsPrimary() {
				continue
			}
			if err := m.Delete(entry.KeyID()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *KEK) change(team string, wrapped []byte, edit func(*keyset.Manager, *keyset.Handle) error) ([]byte, error) {
	h, err := k.unwrap(team, wrapped)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManagerFromHandle(h)
	if err := edit(m, h); err != nil {
		return nil, fmt.Errorf("changing a data key: %w", err)
	}
	changed, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("changing a data key: %w", err)
	}
	return k.wrap(team, changed)
}
