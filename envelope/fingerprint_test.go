package envelope

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
)

func newFingerprints(t *testing.T, kek *KEK, storeID string) (*Fingerprints, []byte) {
	t.Helper()
	check, err := kek.SealCheck(storeID)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := kek.WrapNewFingerprintKey(storeID, check)
	if err != nil {
		t.Fatal(err)
	}
	prints, err := kek.OpenFingerprints(storeID, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return prints, wrapped
}

// Equal values have equal fingerprints, in one store and under one key alone; and
// what is stored of them differs each time, opens in its place only, and is
// refused if a bit of it is another one.
func TestFingerprints(t *testing.T) {
	kek := fingerprintKEK(t, 1)
	prints, wrapped := newFingerprints(t, kek, "store")
	value := []byte("sk-the-same-value-in-two-teams")
	print := prints.Of(value)
	if !print.Equal(prints.Of(bytes.Clone(value))) || print.Equal(prints.Of(append(bytes.Clone(value), '\n'))) || print.Equal(prints.Of(nil)) {
		t.Error("equal values and equal fingerprints are not the same")
	}
	other, _ := newFingerprints(t, kek, "store")
	if print.Equal(other.Of(value)) {
		t.Error("two keys make the same fingerprint")
	}
	if plain := sha256.Sum256(value); print.mac == plain || hmac.Equal(print.mac[:], plain[:]) {
		t.Error("the fingerprint has no key")
	}
	one, two := prints.Seal("acme", "id", 1, print), prints.Seal("beta", "id2", 7, print)
	if bytes.Equal(one, two) || bytes.Equal(one[12:], two[12:]) || bytes.Equal(one, prints.Seal("acme", "id", 1, print)) || bytes.Contains(one, print.mac[:8]) {
		t.Error("equality shows in what is stored")
	}
	opened, err := prints.Open("acme", "id", 1, one)
	if err != nil || !opened.Equal(print) {
		t.Errorf("it does not open: %v", err)
	}
	for name, open := range map[string]func() error{
		"another team":    func() error { _, err := prints.Open("beta", "id", 1, one); return err },
		"another secret":  func() error { _, err := prints.Open("acme", "id2", 1, one); return err },
		"another version": func() error { _, err := prints.Open("acme", "id", 2, one); return err },
		"another key":     func() error { _, err := other.Open("acme", "id", 1, one); return err },
		"another store":   func() error { _, err := kek.OpenFingerprints("store2", wrapped); return err },
		"another KEK":     func() error { _, err := fingerprintKEK(t, 2).OpenFingerprints("store", wrapped); return err },
		"the check of another KEK": func() error {
			check, err := fingerprintKEK(t, 2).SealCheck("store")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kek.WrapNewFingerprintKey("store", check); errors.Is(err, ErrKEKWrong) {
				return ErrOpen
			}
			return nil
		},
	} {
		if err := open(); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range one {
		for bit := range 8 {
			changed := bytes.Clone(one)
			changed[i] ^= 1 << bit
			if _, err := prints.Open("acme", "id", 1, changed); !errors.Is(err, ErrOpen) {
				t.Fatalf("bit %d of byte %d is not authenticated", bit, i)
			}
		}
		if _, err := prints.Open("acme", "id", 1, one[:i]); !errors.Is(err, ErrOpen) {
			t.Fatalf("%d bytes of it open", i)
		}
	}
	// A new KEK keeps the fingerprints.
	to := fingerprintKEK(t, 3)
	again, err := kek.RewrapFingerprintKey("store", wrapped, to)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := to.OpenFingerprints("store", again)
	if err != nil || !moved.Of(value).Equal(print) {
		t.Errorf("after a rotation of the KEK the fingerprints are others: %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, print); got != "fingerprint" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

// fingerprintKEK is one of several keys of a test.
func fingerprintKEK(t *testing.T, n byte) *KEK {
	t.Helper()
	h, err := keysetFromKey(append(bytes.Repeat([]byte{n}, keySize-1), n+1))
	if err != nil {
		t.Fatal(err)
	}
	local, err := newLocalKeyset(h)
	if err != nil {
		t.Fatal(err)
	}
	return newKEK(local)
}
