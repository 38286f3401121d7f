package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Verified is a backup that was read to its end and is what the KEK sealed.
type Verified struct {
	Header Header
	Counts Counts
	digest []byte
}

// Verify reads a whole backup and changes nothing anywhere. It returns the
// KEK's error where that doesn't belong to the store, before it reads further
// than the first line, or didn't seal the digest; else ErrNotABackup, ErrTooNew
// or ErrDamaged.
func Verify(r io.Reader, kek Opener) (Verified, error) {
	b, err := NewReader(r)
	if err != nil {
		return Verified{}, err
	}
	store := b.Header.Store
	if err := kek.VerifyCheck(store.ID, store.KEKCheck); err != nil {
		return Verified{}, fmt.Errorf("this backup needs the key encryption key %q: %w", store.KEKID, err)
	}
	if store.OldKEKID != "" {
		if err := kek.VerifyCheck(store.ID, store.OldKEKCheck); err != nil {
			return Verified{}, fmt.Errorf("this backup was made while one key encryption key replaced another, and needs both, %q (--kek) and %q (--kek-old): %w", store.KEKID, store.OldKEKID, err)
		}
	}
	for {
		if _, err := b.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return Verified{}, err
		}
	}
	if err := kek.VerifyBackup(store.ID, b.end.SHA256, b.end.Seal); err != nil {
		return Verified{}, fmt.Errorf("nothing proves that this backup is as it was made: %w", err)
	}
	return Verified{Header: b.Header, Counts: b.counts, digest: b.end.SHA256}, nil
}

// Same returns ErrDamaged unless the reader is at the end of the very file
// that was verified: a file may be replaced between two readings.
func (v Verified) Same(r *Reader) error {
	if r.end == nil || !bytes.Equal(r.end.SHA256, v.digest) {
		return damaged("it changed while it was read")
	}
	return nil
}
