package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The entries of a team are a chain: each holds a hash of itself and of the
// one before, after Schneier and Kelsey, "Secure Audit Logs to Support
// Computer Forensics" (1999), without keys. docs/format.md has every byte.

// encodingVersion stands in the encoding of an entry. An encoding with other
// fields gets another version, so that the two never coincide.
const encodingVersion = 1

// Hash is the SHA-256 of an entry together with the hash of the one before.
// The zero Hash stands before a chain's first entry.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads what String writes.
func ParseHead(s string) (Head, error) {
	number, digits, _ := strings.Cut(s, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	hash, hexErr := hex.DecodeString(digits)
	if err != nil || hexErr != nil || seq < 1 || len(hash) != sha256.Size {
		return Head{}, errors.New("a head is written NUMBER:HASH, with the 64 hexadecimal digits that verify prints")
	}
	return Head{Seq: seq, Hash: Hash(hash)}, nil
}

// Head is the end of a chain: its last entry's number and hash. Kept outside
// the database, it proves later that nothing up to there was changed.
type Head struct {
	Seq  int64
	Hash Hash
}

// Link is an entry as it is stored.
type Link struct {
	Entry
	// Hash is the stored one, of whatever length.
	Hash []byte
}

// Next gives an entry its place behind the head, and returns it with the new
// head. The entry is first brought into the form in which it is stored; see
// Storable.
func (h Head) Next(e Entry) (Entry, Head) {
	e = e.Storable()
	e.Seq = h.Seq + 1
	return e, Head{Seq: e.Seq, Hash: e.hash(h.Hash)}
}

// Storable returns the entry as every database gives it back: times in
// microseconds UTC, and texts in valid UTF-8 without NUL. An entry is never
// refused for its text, since that would keep an act out of the log.
func (e Entry) Storable() Entry {
	e.At = time.UnixMicro(e.At.UnixMicro()).UTC()
	for _, s := range e.texts() {
		*s = storableText(*s)
	}
	versions := make([]KeyVersion, len(e.Versions))
	for i, v := range e.Versions {
		versions[i] = KeyVersion{Key: storableText(v.Key), Version: v.Version}
	}
	e.Versions = versions
	return e
}

func storableText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// texts are the entry's strings in the order in which they are encoded.
func (e *Entry) texts() []*string {
	return []*string{
		&e.TeamID, &e.ID, &e.ActorKind, &e.ActorID, &e.ActorName, &e.CredentialID, &e.Action, &e.Target,
		(*string)(&e.Outcome), &e.Reason, &e.RemoteAddr, &e.RequestID, &e.RunID,
	}
}

// hash is SHA-256 over the hash of the entry before and the encoding of e.
func (e Entry) hash(before Hash) Hash {
	return sha256.Sum256(e.appendEncoding(before[:]))
}

// appendEncoding appends all fields of e. Every string and the list follow
// their length, so two different entries have two different encodings.
func (e Entry) appendEncoding(b []byte) []byte {
	b = append(b, "infsh audit"...)
	b = append(b, encodingVersion)
	b = appendInt(b, e.Seq)
	b = appendInt(b, e.At.UnixMicro())
	for _, s := range e.texts() {
		b = appendText(b, *s)
	}
	b = appendInt(b, int64(len(e.Versions)))
	for _, v := range e.Versions {
		b = appendInt(appendText(b, v.Key), v.Version)
	}
	return b
}

func appendInt(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func appendText(b []byte, s string) []byte { return append(appendInt(b, int64(len(s))), s...) }

// Broken is the first bad entry of a chain. As an entry's hash covers the hash
// of the one before, everything up to the entry before it is as it was written.
type Broken struct {
	TeamID string
	Seq    int64
	// ID is the entry's own; empty where there is no such entry.
	ID     string
	Reason string
}

func (b *Broken) Error() string {
	if b.ID != "" {
		return fmt.Sprintf("entry %d (id %+q): %s", b.Seq, b.ID, b.Reason)
	}
	return fmt.Sprintf("entry %d: %s", b.Seq, b.Reason)
}

// Verifier checks one chain, entry by entry, in constant memory. Make it with
// NewVerifier.
type Verifier struct {
	team string
	last Head
	kept Head
}

// NewVerifier checks the chain of a team; the empty one is that of entries
// without a team. The chain must go through the head that was kept elsewhere,
// unless that is the zero Head.
func NewVerifier(team string, kept Head) *Verifier { return &Verifier{team: team, kept: kept} }

// Add takes the next stored entry, in the order of their numbers. The error
// is a *Broken, after which the Verifier is of no further use.
func (v *Verifier) Add(l Link) error {
	want := v.last.Seq + 1
	switch {
	case l.Seq > want:
		return &Broken{TeamID: v.team, Seq: want, Reason: fmt.Sprintf("it is missing; the next one there is entry %d", l.Seq)}
	case l.Seq < want:
		return &Broken{TeamID: v.team, Seq: l.Seq, ID: l.ID, Reason: fmt.Sprintf("it stands where entry %d belongs", want)}
	case l.TeamID != v.team:
		return &Broken{TeamID: v.team, Seq: want, ID: l.ID, Reason: "it is of another team"}
	}
	hash := l.hash(v.last.Hash)
	if string(l.Hash) != string(hash[:]) {
		reason := "it was changed: its hash does not follow from its content"
		if want > 1 {
			reason += fmt.Sprintf(" and entry %d", want-1)
		}
		return &Broken{TeamID: v.team, Seq: want, ID: l.ID, Reason: reason}
	}
	v.last = Head{Seq: want, Hash: hash}
	if want == v.kept.Seq && hash != v.kept.Hash {
		return &Broken{TeamID: v.team, Seq: want, ID: l.ID, Reason: "its hash is not the one that was kept elsewhere: the chain was written anew from this entry or an earlier one on"}
	}
	return nil
}

// End compares the last entry with the head that was stored beside the chain;
// ok is false if there is none. The error is a *Broken.
func (v *Verifier) End(stored Head, ok bool) (Head, error) {
	switch {
	case v.kept.Seq > v.last.Seq && stored.Seq <= v.last.Seq:
		return Head{}, &Broken{TeamID: v.team, Seq: v.last.Seq + 1, Reason: fmt.Sprintf("it is missing; the chain went on to entry %d when its head was kept elsewhere", v.kept.Seq)}
	case !ok:
		return Head{}, &Broken{TeamID: v.team, Seq: 1, Reason: fmt.Sprintf("the chain's head is missing, so nobody can say whether entries are missing behind entry %d", v.last.Seq)}
	case stored.Seq > v.last.Seq:
		return Head{}, &Broken{TeamID: v.team, Seq: v.last.Seq + 1, Reason: fmt.Sprintf("it is missing; the chain ended at entry %d", stored.Seq)}
	case stored.Seq < v.last.Seq:
		return Head{}, &Broken{TeamID: v.team, Seq: max(stored.Seq, 0) + 1, Reason: fmt.Sprintf("it stands behind the chain's end, which is entry %d", stored.Seq)}
	case stored.Hash != v.last.Hash:
		return Head{}, &Broken{TeamID: v.team, Seq: max(v.last.Seq, 1), Reason: "its hash is not the one that the chain's head holds"}
	}
	return v.last, nil
}
