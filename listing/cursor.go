package listing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"infsh/problem"
)

// A cursor is a position in a form that clients hand back. It is valid for one
// list in one order, and opens nothing: whoever makes one up asks for a page
// that another cursor would have given.
type cursor struct {
	// Order is a part of the SHA-256 of the list's name and order.
	Order     string `json:"o"`
	Values    []any  `json:"v"`
	Backward  bool   `json:"b,omitempty"`
	Inclusive bool   `json:"i,omitempty"`
}

// Cursors returns the cursors of the pages after and before p; an empty one
// where there is no such page.
func (l List[T]) Cursors(p Page[T], q Query) (next, prev string) {
	n := len(p.Items)
	if p.Before+n < p.Total {
		if n > 0 {
			next = q.encode(Position{Values: l.values(q, p.Items[n-1])})
		} else {
			next = q.encode(Position{Values: q.From.Values, Inclusive: true})
		}
	}
	if p.Before > 0 {
		if n > 0 {
			prev = q.encode(Position{Values: l.values(q, p.Items[0]), Backward: true})
		} else {
			// The items after the position are gone: back is what is at it.
			prev = q.encode(Position{Values: q.From.Values, Backward: true, Inclusive: true})
		}
	}
	return next, prev
}

func (q Query) encode(p Position) string {
	// Strings, integers and booleans: this can't fail.
	b, _ := json.Marshal(cursor{Order: q.signature(), Values: p.Values, Backward: p.Backward, Inclusive: p.Inclusive})
	return base64.RawURLEncoding.EncodeToString(b)
}

func (q Query) signature() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", q.list)
	for _, o := range q.Order {
		fmt.Fprintf(&b, " %q %v", o.Field, o.Desc)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (l List[T]) parseCursor(q Query, s string) (*Position, error) {
	invalid := problem.Invalid("cursor", "this is not a cursor of this list in this order; start again without one")
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || !utf8.Valid(b) {
		return nil, invalid
	}
	var c cursor
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if d.Decode(&c) != nil {
		return nil, invalid
	}
	if _, err := d.Token(); err != io.EOF || c.Order != q.signature() || len(c.Values) != len(q.Order) {
		return nil, invalid
	}
	for i, o := range q.Order {
		switch v := c.Values[i].(type) {
		case string:
			if l.field(o.Field).Kind != Text || strings.ContainsRune(v, 0) {
				return nil, invalid
			}
		case json.Number:
			n, err := v.Int64()
			if err != nil || l.field(o.Field).Kind == Text {
				return nil, invalid
			}
			c.Values[i] = n
		default:
			return nil, invalid
		}
	}
	return &Position{Values: c.Values, Backward: c.Backward, Inclusive: c.Inclusive}, nil
}
