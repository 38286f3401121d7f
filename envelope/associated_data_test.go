package envelope

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
)

// decodeAssociatedData is the inverse of encode. That it exists is the proof
// that encode is injective.
func decodeAssociatedData(t *testing.T, b []byte) (ad AssociatedData) {
	t.Helper()
	rest, ok := strings.CutPrefix(string(b), "infsh\x01")
	if !ok {
		t.Fatalf("% x does not begin with the name and version", b)
	}
	number := func() uint64 {
		n := binary.BigEndian.Uint64([]byte(rest[:8]))
		rest = rest[8:]
		return n
	}
	text := func() (s string) {
		n := number()
		s, rest = rest[:n], rest[n:]
		return s
	}
	ad = AssociatedData{Purpose: Purpose(text()), Team: text(), Key: text(), Version: int64(number())}
	if rest != "" {
		t.Fatalf("% x follows the version", rest)
	}
	return ad
}

// The alphabet is made of what confuses encodings that join fields: NUL,
// separators, what looks like a length, and invalid UTF-8.
func confusing(r *rand.Rand) string {
	parts := []string{"", "a", "b", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x01", "/", ":", "|", ",", "\n", "infsh\x01", "\xff", "é"}
	var s strings.Builder
	for range r.IntN(4) {
		s.WriteString(parts[r.IntN(len(parts))])
	}
	return s.String()
}

func TestAssociatedDataEncodingIsInjective(t *testing.T) {
	inverse := func(ad AssociatedData) bool { return decodeAssociatedData(t, ad.encode()) == ad }
	if err := quick.Check(inverse, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}

	r := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]AssociatedData)
	for range 50_000 {
		ad := AssociatedData{Purpose(confusing(r)), confusing(r), confusing(r), r.Int64N(3) - 1}
		if !inverse(ad) {
			t.Fatalf("%#v does not decode to itself", ad)
		}
		encoded := string(ad.encode())
		if other, ok := seen[encoded]; ok && other != ad {
			t.Fatalf("%#v and %#v have the same encoding", ad, other)
		}
		seen[encoded] = ad
	}
	if len(seen) < 10_000 {
		t.Fatalf("only %d different values were tried", len(seen))
	}
}

// A field that is added to the struct and forgotten in encode would not be bound.
func TestEveryFieldIsEncoded(t *testing.T) {
	base := AssociatedData{"p", "t", "k", 1}
	v := reflect.ValueOf(&base).Elem()
	before := string(base.encode())
	for i := range v.NumField() {
		saved := reflect.New(v.Field(i).Type()).Elem()
		saved.Set(v.Field(i))
		v.Field(i).SetZero()
		if string(base.encode()) == before {
			t.Errorf("%s is not part of the encoding", v.Type().Field(i).Name)
		}
		v.Field(i).Set(saved)
	}
}
