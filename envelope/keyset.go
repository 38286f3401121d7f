package envelope

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const keySize = 32 // bytes: AES-256

// The reasons for which a keyset is refused, worded to follow "the file holds".
var (
	errNotKeyset   = errors.New("no Tink keyset in JSON")
	errBadKeyset   = errors.New("no valid Tink keyset with one enabled primary key")
	errNotAES256   = errors.New("a key other than AES-256-GCM with output prefix TINK")
	errPlaceholder = errors.New("a placeholder: a key whose bytes are all equal")
)

func newKeyset() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) }

// readCleartext parses a keyset that nothing encrypts. Tink's own errors may
// quote what they read, so they are replaced.
func readCleartext(data []byte) (*keyset.Handle, error) {
	ks, err := keyset.NewJSONReader(bytes.NewReader(data)).Read()
	if err != nil {
		return nil, errNotKeyset
	}
	for _, k := range ks.GetKey() {
		if k.GetKeyData().GetTypeUrl() != aead.AES256GCMKeyTemplate().GetTypeUrl() {
			return nil, errNotAES256
		}
	}
	h, err := insecurecleartextkeyset.Read(parsedKeyset{ks})
	if err != nil {
		return nil, errBadKeyset
	}
	return h, nil
}

// keysetFromKey makes a keyset of one given key. The key id follows from the
// key, so that the same key always makes the same keyset.
func keysetFromKey(key []byte) (*keyset.Handle, error) {
	derived, err := hkdf.Expand(sha256.New, key, "infsh kek key id v1", 4)
	if err != nil {
		return nil, err
	}
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: keySize, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
	if err != nil {
		return nil, err
	}
	k, err := aesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), binary.BigEndian.Uint32(derived), params)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	id, err := m.AddKey(k)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	return m.Handle()
}

// openKeyset admits only AES-256-GCM keys with 96-bit nonces, 128-bit tags and
// the TINK prefix. Tink itself would accept weaker keys and other algorithms.
func openKeyset(h *keyset.Handle) (tink.AEAD, error) {
	for i := range h.Len() {
		entry, err := h.Entry(i)
		if err != nil {
			return nil, errBadKeyset
		}
		key, ok := entry.Key().(*aesgcm.Key)
		if !ok {
			return nil, errNotAES256
		}
		p, ok := key.Parameters().(*aesgcm.Parameters)
		if !ok || p.KeySizeInBytes() != keySize || p.IVSizeInBytes() != 12 || p.TagSizeInBytes() != 16 || p.Variant() != aesgcm.VariantTink {
			return nil, errNotAES256
		}
	}
	primitive, err := aead.New(h)
	if err != nil {
		return nil, errBadKeyset
	}
	return primitive, nil
}

// checkNotPlaceholder refuses the keys that people type into examples. It
// can't measure randomness and does not try.
func checkNotPlaceholder(h *keyset.Handle) error {
	for i := range h.Len() {
		entry, err := h.Entry(i)
		if err != nil {
			return errBadKeyset
		}
		key, ok := entry.Key().(*aesgcm.Key)
		if !ok {
			return errNotAES256
		}
		b := key.KeyBytes().Data(insecuresecretdataaccess.Token{})
		if bytes.Count(b, b[:1]) == len(b) {
			return errPlaceholder
		}
	}
	return nil
}

// fingerprint is HKDF-Expand (RFC 5869, section 2.3) of the primary key with a
// label of its own and the key's id: a pseudorandom function of a uniformly
// random key, whose output says nothing about the key or about its use in AES.
// The id counts because a ciphertext names it, and opens under no other.
func fingerprint(h *keyset.Handle) (string, error) {
	primary, err := h.Primary()
	if err != nil {
		return "", errBadKeyset
	}
	key, ok := primary.Key().(*aesgcm.Key)
	if !ok {
		return "", errNotAES256
	}
	b := key.KeyBytes().Data(insecuresecretdataaccess.Token{})
	defer clear(b)
	label := binary.BigEndian.AppendUint32([]byte("infsh kek fingerprint v1"), primary.KeyID())
	id, err := hkdf.Expand(sha256.New, b, string(label), 8)
	if err != nil {
		return "", fmt.Errorf("making the fingerprint: %w", err)
	}
	return "kek-" + hex.EncodeToString(id), nil
}

// parsedKeyset is a keyset.Reader of a cleartext keyset that was parsed already.
type parsedKeyset struct{ ks *tinkpb.Keyset }

func (p parsedKeyset) Read() (*tinkpb.Keyset, error) { return p.ks, nil }

func (p parsedKeyset) ReadEncrypted() (*tinkpb.EncryptedKeyset, error) {
	return nil, errors.New("not an encrypted keyset")
}

// sealedKeyset is a keyset.Reader and keyset.Writer that holds the ciphertext
// of a keyset and nothing else. Tink's own formats put a description of the
// keys next to it, which nothing authenticates; without it, every bit that is
// stored is authenticated.
type sealedKeyset struct{ ciphertext []byte }

func (s *sealedKeyset) ReadEncrypted() (*tinkpb.EncryptedKeyset, error) {
	return &tinkpb.EncryptedKeyset{EncryptedKeyset: s.ciphertext}, nil
}

func (s *sealedKeyset) WriteEncrypted(ks *tinkpb.EncryptedKeyset) error {
	s.ciphertext = ks.GetEncryptedKeyset()
	return nil
}

func (s *sealedKeyset) Read() (*tinkpb.Keyset, error) {
	return nil, errors.New("not a cleartext keyset")
}

func (s *sealedKeyset) Write(*tinkpb.Keyset) error {
	return errors.New("a data key is never written in cleartext")
}
