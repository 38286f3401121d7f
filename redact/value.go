package redact

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Mask is what stands in the place of a secret wherever one would be printed.
const Mask = "[redacted]"

// Value holds a secret. Formatting, logging and encoding it give [Mask]; only
// [Value.Reveal] gives the plaintext.
//
// The plaintext is kept in a closure and not in a field, because fmt calls no
// method on the unexported fields of a struct that it prints: it walks them by
// reflection, which sees a func as an address and cannot look behind it.
//
// There is no UnmarshalJSON, Scan or similar: a secret enters on purpose,
// through [NewValue]. Values cannot be compared with == (the compiler refuses)
// and so cannot be map keys; [Value.Equal] compares in constant time.
//
// A Value keeps a secret out of output, not out of memory: Go cannot promise
// that no copy of a string stays on the heap.
type Value struct {
	reveal func() string
}

// NewValue wraps a plaintext. The empty string gives a Value that was set and
// is empty, which differs from the zero Value (see [Value.IsZero]).
func NewValue(s string) Value {
	return Value{reveal: func() string { return s }}
}

// Reveal returns the plaintext. Every call of it is a place to review.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// Equal compares two plaintexts in a time that depends on their lengths only.
// The zero Value equals an empty one.
func (v Value) Equal(o Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(o.Reveal())) == 1
}

// IsZero reports that no value was set.
func (v Value) IsZero() bool { return v.reveal == nil }

// Len returns the length of the plaintext in bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// String returns [Mask].
func (Value) String() string { return Mask }

// GoString returns [Mask].
func (Value) GoString() string { return Mask }

// Format writes [Mask] for every verb, flag and width.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText returns [Mask].
func (Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns [Mask] as a JSON string.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// LogValue returns [Mask].
func (Value) LogValue() slog.Value { return slog.StringValue(Mask) }

// Needle is a secret to look for in a stream. Key is its name, which may be
// shown; it names the secret in reports and in masks.
type Needle struct {
	Key   string
	Value Value
}
