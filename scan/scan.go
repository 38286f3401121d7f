// Package scan looks for secrets in files without having them. Of each value one
// window of [Window] bytes is chosen, and [Bits] bits of a hash of it are told to
// the one who searches. Where a window of a file has the same bits, the whole hash
// is asked about, of the one who has the values.
//
// A window that a person could guess is never chosen: it has no spaces, letters and
// digits, and many different characters ([Plausible]). Nor is any other window of a
// file even hashed, so prose costs little and asks about nothing.
//
// The hash is SHA-256 of the team's [Key] and the window, both of fixed length. The
// key is no secret: it keeps tables made for one team from serving for another. It
// is the same for every search of a team, on purpose. With another one each time,
// who asks often would collect Bits bits of a value each time, until a guess could
// be tested without asking.
package scan

import (
	"crypto/sha256"
	"net/url"
	"strings"

	"infsh/redact"
)

const (
	// Window is how many bytes of a value are looked for.
	Window = 16
	// Bits is how much of a hash is told.
	Bits = 20
	// minDistinct is how many different bytes a window has at least.
	minDistinct = 9
)

// Key belongs to a team.
type Key [sha256.Size]byte

// KeyOf derives the key from the team's id.
func KeyOf(team string) Key { return sha256.Sum256([]byte("infsh scan 1\x00" + team)) }

// Hash names a window of a team's value.
type Hash [sha256.Size]byte

// HashOf hashes a window, of which only the first [Window] bytes count.
func (k Key) HashOf(window []byte) Hash {
	var text [sha256.Size + Window]byte
	copy(text[:], k[:])
	copy(text[sha256.Size:], window[:Window])
	return sha256.Sum256(text[:])
}

// Short is what is told of a hash.
func (h Hash) Short() uint32 {
	return (uint32(h[0])<<16 | uint32(h[1])<<8 | uint32(h[2])) >> (24 - Bits)
}

// counts describes the bytes of a window.
type counts struct {
	each                      [256]uint8
	distinct                  int
	letters, digits, unusable int
}

func (c *counts) add(b byte, by int) {
	switch {
	case b >= '0' && b <= '9':
		c.digits += by
	case b|0x20 >= 'a' && b|0x20 <= 'z':
		c.letters += by
	case b <= ' ' || b >= 0x7f:
		c.unusable += by
	}
	if by > 0 {
		if c.each[b]++; c.each[b] == 1 {
			c.distinct++
		}
	} else if c.each[b]--; c.each[b] == 0 {
		c.distinct--
	}
}

func (c *counts) plausible() bool {
	return c.unusable == 0 && c.letters > 0 && c.digits > 0 && c.distinct >= minDistinct
}

// Plausible reports whether a window may be one of a value that is looked for.
func Plausible(window []byte) bool {
	var c counts
	for _, b := range window[:Window] {
		c.add(b, 1)
	}
	return c.plausible()
}

// Choose returns the window of a value by which it is looked for: the first of
// those with the most different bytes, in a connection string one of its password. False
// says that none is safe to tell about: around a short password stand a name and a
// host that are no secret, so that it could be guessed.
func Choose(value string) (window []byte, ok bool) {
	from, to := 0, len(value)-Window
	if start, length := password(value); length > 0 {
		from, to = start, start+length-Window
	}
	best := 0
	for i := from; i <= to; i++ {
		var c counts
		for j := range Window {
			c.add(value[i+j], 1)
		}
		if c.plausible() && c.distinct > best {
			best, window = c.distinct, []byte(value[i:i+Window])
		}
	}
	return window, best > 0
}

// password finds the password of a connection string as it is written there.
func password(value string) (start, length int) {
	if from, to := redact.PairedPassword(value); to > from {
		return from, to - from
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User == nil {
		return 0, 0
	}
	begin := strings.Index(value, "://") + len("://")
	authority, _, _ := strings.Cut(value[begin:], "/")
	info := authority[:max(0, strings.LastIndexByte(authority, '@'))]
	_, pass, has := strings.Cut(info, ":")
	if !has {
		return 0, 0
	}
	return begin + len(info) - len(pass), len(pass)
}

// Filter holds what is told of a team's values.
type Filter struct {
	key Key
	set []uint64
}

// NewFilter takes the key and the shortened hashes of a team.
func NewFilter(key Key, shorts []uint32) *Filter {
	f := &Filter{key: key, set: make([]uint64, 1<<Bits/64)}
	for _, s := range shorts {
		s &= 1<<Bits - 1
		f.set[s/64] |= 1 << (s % 64)
	}
	return f
}

// Search is the search of one file, which is written to it in pieces.
type Search struct {
	filter *Filter
	found  func(h Hash, line int)
	counts counts
	text   []byte // the last bytes before what comes next
	line   int
}

// Search begins one. It calls found with each window that may be of a value, and the
// line in which that ends.
func (f *Filter) Search(found func(h Hash, line int)) *Search {
	return &Search{filter: f, found: found, line: 1}
}

// Write searches the next piece of the file.
func (s *Search) Write(p []byte) (int, error) {
	kept := len(s.text)
	s.text = append(s.text, p...)
	for i := kept; i < len(s.text); i++ {
		b := s.text[i]
		s.counts.add(b, 1)
		if i >= Window {
			s.counts.add(s.text[i-Window], -1)
		}
		if b == '\n' {
			s.line++
		}
		if i < Window-1 || !s.counts.plausible() {
			continue
		}
		h := s.filter.key.HashOf(s.text[i-Window+1:])
		if short := h.Short(); s.filter.set[short/64]&(1<<(short%64)) != 0 {
			s.found(h, s.line)
		}
	}
	if drop := len(s.text) - Window; drop > 0 {
		s.text = s.text[:copy(s.text, s.text[drop:])]
	}
	return len(p), nil
}
