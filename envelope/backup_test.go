package envelope_test

import (
	"errors"
	"testing"

	"infsh/envelope"
)

// A backup's seal proves that a holder of the KEK made this digest for this
// store, and is never taken for the KEK's check of a store.
func TestBackupSeal(t *testing.T) {
	kek, _ := newKEK(t)
	other, _ := newKEK(t)
	digest := []byte("0123456789abcdef0123456789abcdef")
	sealed, err := kek.SealBackup("store", digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := kek.VerifyBackup("store", digest, sealed); err != nil {
		t.Errorf("its own seal: %v", err)
	}
	check, err := kek.SealCheck("store")
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte{}, sealed...)
	changed[len(changed)-1] ^= 1
	for name, tc := range map[string]struct {
		kek          *envelope.KEK
		store        string
		digest, seal []byte
	}{
		"another KEK":       {other, "store", digest, sealed},
		"another store":     {kek, "other", digest, sealed},
		"another digest":    {kek, "store", digest[1:], sealed},
		"no digest":         {kek, "store", nil, sealed},
		"a changed seal":    {kek, "store", digest, changed},
		"no seal":           {kek, "store", digest, nil},
		"the KEK check":     {kek, "store", []byte("infsh kek check"), check},
		"a seal without id": {kek, "", digest, sealed},
	} {
		if err := tc.kek.VerifyBackup(tc.store, tc.digest, tc.seal); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := kek.VerifyCheck("store", sealed); !errors.Is(err, envelope.ErrKEKWrong) {
		t.Errorf("a backup's seal was taken for the check: %v", err)
	}
	if _, err := kek.SealBackup("", digest); err == nil {
		t.Error("a backup of no store was sealed")
	}
}
