package envelope

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// DEK seals and opens the records of one team. Get it from KEK.OpenDEK.
//
// Each record has a random 96-bit nonce. NIST SP 800-38D, section 8.3, limits
// one key to 2^32 such records, which rotation of the DEK resets.
type DEK struct {
	team string
	// ids are those of the keyset's keys, the primary's first.
	ids []uint32
	// The key material stays behind a closure, which neither a fmt verb nor
	// reflection looks into.
	aead func() tink.AEAD
}

func newDEK(team string, h *keyset.Handle) (*DEK, error) {
	primitive, err := openKeyset(h)
	if err != nil {
		return nil, ErrOpen
	}
	d := &DEK{team: team, aead: func() tink.AEAD { return primitive }}
	for i := range h.Len() {
		entry, err := h.Entry(i)
		if err != nil {
			return nil, ErrOpen
		}
		if entry.IsPrimary() {
			d.ids = slices.Insert(d.ids, 0, entry.KeyID())
		} else {
			d.ids = append(d.ids, entry.KeyID())
		}
	}
	return d, nil
}

// KeyIDs names the keys, that which seals first. There is more than one only
// while one replaces another.
func (d *DEK) KeyIDs() []uint32 { return slices.Clone(d.ids) }

// Prefix begins each record that the sealing key made, and none that another
// key of the keyset made.
func (d *DEK) Prefix() []byte {
	return binary.BigEndian.AppendUint32([]byte{tinkPrefix}, d.ids[0])
}

// Seal encrypts plaintext, of any length, for the place that ad names.
// The result is 33 bytes longer than plaintext: docs/format.md, "Sealed record".
// It fails where ad is incomplete or names another team than the DEK's.
func (d *DEK) Seal(ad AssociatedData, plaintext []byte) ([]byte, error) {
	if err := ad.validate(); err != nil {
		return nil, err
	}
	if ad.Team != d.team {
		return nil, fmt.Errorf("associated data: the record is of team %q, the data key of team %q", ad.Team, d.team)
	}
	sealed, err := d.aead().Encrypt(plaintext, ad.encode())
	if err != nil {
		return nil, fmt.Errorf("sealing a record of purpose %s: %w", ad.Purpose, err)
	}
	return sealed, nil
}

// Open returns the plaintext of a record that was sealed with the same ad and
// a key of this DEK, and ErrOpen for everything else.
func (d *DEK) Open(ad AssociatedData, ciphertext []byte) ([]byte, error) {
	if ad.validate() != nil || ad.Team != d.team {
		return nil, ErrOpen
	}
	plaintext, err := d.aead().Decrypt(ciphertext, ad.encode())
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// String names the team and nothing else.
func (d DEK) String() string { return "DEK of team " + d.team }

// Format prints String for every verb, so that no verb walks the fields.
func (d DEK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue implements slog.LogValuer.
func (d DEK) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText implements encoding.TextMarshaler.
func (d DEK) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
