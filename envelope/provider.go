package envelope

import (
	"errors"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// provider is one key encryption key, wherever it lives. A new kind of KEK is
// an implementation of this interface and a case in OpenKEK.
//
// Decrypt returns ErrOpen for what the key did not encrypt with the same
// associated data, and an error that is ErrKEKUnavailable where it can't tell.
// Encrypt returns the latter too. Both are safe for concurrent use.
type provider interface {
	tink.AEAD
	// id names the key that encrypts. It reveals nothing of the key.
	id() string
	// idOf names the key that made a ciphertext which this provider decrypts,
	// without decrypting it.
	idOf(ciphertext []byte) string
	// mayDecrypt is false for what certainly is not this provider's, so that
	// nobody is asked over the network about the ciphertexts of others.
	mayDecrypt(ciphertext []byte) bool
}

// localKeyset is a KEK whose key is in this process: a Tink keyset from a file
// or from an environment variable.
type localKeyset struct {
	tink.AEAD
	fingerprint string
}

func newLocalKeyset(h *keyset.Handle) (*localKeyset, error) {
	primitive, err := openKeyset(h)
	if err != nil {
		return nil, err
	}
	id, err := fingerprint(h)
	if err != nil {
		return nil, err
	}
	return &localKeyset{AEAD: primitive, fingerprint: id}, nil
}

func (l *localKeyset) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	plaintext, err := l.AEAD.Decrypt(ciphertext, associatedData)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (l *localKeyset) id() string         { return l.fingerprint }
func (l *localKeyset) idOf([]byte) string { return l.fingerprint }

// mayDecrypt asks for Tink's prefix, which a Vault ciphertext has not got.
func (l *localKeyset) mayDecrypt(ciphertext []byte) bool {
	return len(ciphertext) > 0 && ciphertext[0] == tinkPrefix
}

// tinkPrefix begins what a Tink key with output prefix TINK encrypts; the id of
// the key follows, 4 bytes, big-endian.
const (
	tinkPrefix     = 0x01
	tinkPrefixSize = 5 // bytes, with the key id
)

// anyOf is a tink.AEAD that encrypts with its first provider and decrypts with
// whichever can.
type anyOf []provider

func (ps anyOf) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return ps[0].Encrypt(plaintext, associatedData)
}

func (ps anyOf) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	plaintext, _, err := ps.decrypt(ciphertext, associatedData)
	return plaintext, err
}

// decrypt also tells which provider it was.
func (ps anyOf) decrypt(ciphertext, associatedData []byte) ([]byte, provider, error) {
	failure := ErrOpen
	for _, p := range ps {
		if !p.mayDecrypt(ciphertext) {
			continue
		}
		plaintext, err := p.Decrypt(ciphertext, associatedData)
		if err == nil {
			return plaintext, p, nil
		}
		// That a key does not open it is no answer while another was not heard.
		if errors.Is(err, ErrKEKUnavailable) {
			failure = err
		}
	}
	return nil, nil, failure
}

// keysetOpener lets Tink decrypt a keyset with any provider, and keeps the
// error, which Tink would turn into text.
type keysetOpener struct {
	anyOf
	err error
}

func (o *keysetOpener) Decrypt(ciphertext, associatedData []byte) (plaintext []byte, err error) {
	plaintext, o.err = o.anyOf.Decrypt(ciphertext, associatedData)
	return plaintext, o.err
}
