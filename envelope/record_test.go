package envelope_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"infsh/envelope"
)

var place = envelope.AssociatedData{Purpose: envelope.SecretValue, Team: "team-a", Key: "OPENAI_API_KEY", Version: 3}

func mustSeal(t testing.TB, dek *envelope.DEK, ad envelope.AssociatedData, plaintext []byte) []byte {
	t.Helper()
	sealed, err := dek.Seal(ad, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantErrOpen(t testing.TB, dek *envelope.DEK, ad envelope.AssociatedData, sealed []byte, what string, args ...any) {
	t.Helper()
	if plaintext, err := dek.Open(ad, sealed); plaintext != nil || err != envelope.ErrOpen {
		t.Errorf(what+": opened %d bytes, error %v; want exactly ErrOpen", append(args, len(plaintext), err)...)
	}
}

// Property: what goes in comes out byte for byte, at every size that a value
// may have.
func TestSealThenOpenIsIdentity(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	sizes := []int{0, 1, 15, 16, 17, 65535, 65536}
	for range 300 {
		sizes = append(sizes, mathrand.IntN(65537))
	}
	for _, size := range sizes {
		plaintext := make([]byte, size)
		_, _ = rand.Read(plaintext)
		sealed := mustSeal(t, dek, place, plaintext)
		if len(sealed) != size+33 {
			t.Fatalf("%d bytes sealed make %d, want 33 more", size, len(sealed))
		}
		got, err := dek.Open(place, sealed)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("%d bytes did not come back: %v", size, err)
		}
	}
}

// Security case C3: every damaged bit and every truncation is rejected.
func TestDamagedRecordDoesNotOpen(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	for _, plaintext := range []string{"", "x", strings.Repeat("a value of some length ", 5)} {
		sealed := mustSeal(t, dek, place, []byte(plaintext))
		for bit := range len(sealed) * 8 {
			wantErrOpen(t, dek, place, flipBit(sealed, bit), "bit %d flipped", bit)
		}
		for n := range len(sealed) {
			wantErrOpen(t, dek, place, sealed[:n], "cut to %d bytes", n)
			wantErrOpen(t, dek, place, sealed[len(sealed)-n:], "the last %d bytes alone", n)
		}
		wantErrOpen(t, dek, place, append(bytes.Clone(sealed), 0), "one byte appended")
		wantErrOpen(t, dek, place, append(bytes.Clone(sealed), sealed...), "given twice")
		if got, err := dek.Open(place, sealed); err != nil || string(got) != plaintext {
			t.Errorf("the undamaged record does not open: %v", err)
		}
	}
	wantErrOpen(t, dek, place, nil, "nothing")
	wantErrOpen(t, dek, place, make([]byte, 1<<20), "a mebibyte of zeros")
}

// Security case C3: every bit of where a record belongs is bound.
func TestDamagedAssociatedDataDoesNotOpen(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	sealed := mustSeal(t, dek, place, []byte("value"))
	fields := map[string]struct {
		bits int
		flip func(ad *envelope.AssociatedData, bit int)
	}{
		"purpose": {len(place.Purpose) * 8, func(ad *envelope.AssociatedData, bit int) {
			ad.Purpose = envelope.Purpose(flipBit([]byte(ad.Purpose), bit))
		}},
		"team":    {len(place.Team) * 8, func(ad *envelope.AssociatedData, bit int) { ad.Team = string(flipBit([]byte(ad.Team), bit)) }},
		"key":     {len(place.Key) * 8, func(ad *envelope.AssociatedData, bit int) { ad.Key = string(flipBit([]byte(ad.Key), bit)) }},
		"version": {64, func(ad *envelope.AssociatedData, bit int) { ad.Version ^= 1 << bit }},
	}
	for name, f := range fields {
		for bit := range f.bits {
			ad := place
			f.flip(&ad, bit)
			wantErrOpen(t, dek, ad, sealed, "bit %d of %s flipped", bit, name)
		}
	}
}

// A row that someone with access to the database moved does not open.
func TestMovedRecordDoesNotOpen(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	other := newDEK(t, kek, "team-b")
	sealed := mustSeal(t, dek, place, []byte("value"))

	moved := func(change func(*envelope.AssociatedData)) envelope.AssociatedData {
		ad := place
		change(&ad)
		return ad
	}
	toTeamB := moved(func(ad *envelope.AssociatedData) { ad.Team = "team-b" })
	cases := []struct {
		name string
		dek  *envelope.DEK
		ad   envelope.AssociatedData
	}{
		{"to another team, with that team's DEK", other, toTeamB},
		{"to another team, with the DEK it was sealed with", dek, toTeamB},
		{"read as its own team with another team's DEK", other, place},
		{"to another key", dek, moved(func(ad *envelope.AssociatedData) { ad.Key = "HF_TOKEN" })},
		{"to a key that differs in case", dek, moved(func(ad *envelope.AssociatedData) { ad.Key = "openai_api_key" })},
		{"to the version before", dek, moved(func(ad *envelope.AssociatedData) { ad.Version = 2 })},
		{"to the next version", dek, moved(func(ad *envelope.AssociatedData) { ad.Version = 4 })},
		{"from value to hint", dek, moved(func(ad *envelope.AssociatedData) { ad.Purpose = envelope.SecretHint })},
		{"from value to integration token", dek, moved(func(ad *envelope.AssociatedData) { ad.Purpose = envelope.IntegrationToken })},
		{"to a purpose of the KEK", dek, moved(func(ad *envelope.AssociatedData) { ad.Purpose = "dek" })},
		{"to nowhere", dek, envelope.AssociatedData{}},
	}
	for _, c := range cases {
		wantErrOpen(t, c.dek, c.ad, sealed, "%s", c.name)
	}
}

// What could never be opened is never sealed.
func TestSealRefusesAnIncompletePlace(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	cases := map[string]envelope.AssociatedData{
		"no purpose":           {Team: "team-a", Key: "K", Version: 1},
		"unknown purpose":      {Purpose: "note", Team: "team-a", Key: "K", Version: 1},
		"a purpose of the KEK": {Purpose: "kek-check", Team: "team-a", Key: "K", Version: 1},
		"no team":              {Purpose: envelope.SecretValue, Key: "K", Version: 1},
		"another team":         {Purpose: envelope.SecretValue, Team: "team-b", Key: "K", Version: 1},
		"no key":               {Purpose: envelope.SecretValue, Team: "team-a", Version: 1},
		"version 0":            {Purpose: envelope.SecretValue, Team: "team-a", Key: "K"},
		"a negative version":   {Purpose: envelope.SecretValue, Team: "team-a", Key: "K", Version: -1},
	}
	for name, ad := range cases {
		if sealed, err := dek.Seal(ad, []byte("the-value")); err == nil || sealed != nil {
			t.Errorf("%s: sealed %x, error %v", name, sealed, err)
		} else if strings.Contains(err.Error(), "the-value") {
			t.Errorf("%s: the error quotes the value: %v", name, err)
		}
	}
}

// Security case C4: 2^17 records of one key, no nonce twice. The nonce is read
// from where docs/format.md says it is.
func TestNoncesDoNotRepeat(t *testing.T) {
	kek, _ := newKEK(t)
	dek := newDEK(t, kek, place.Team)
	const records = 1 << 17
	seen := make(map[[12]byte]struct{}, records)
	for range records {
		s := parseSealed(t, mustSeal(t, dek, place, nil))
		seen[[12]byte(s.nonce)] = struct{}{}
	}
	if len(seen) != records {
		t.Errorf("%d records have %d nonces", records, len(seen))
	}
}

func flipBit(b []byte, bit int) []byte {
	flipped := bytes.Clone(b)
	flipped[bit/8] ^= 1 << (bit % 8)
	return flipped
}

func FuzzOpen(f *testing.F) {
	v := loadVectors(f)
	dek, err := kekFromText(f, string(v.KEK)).OpenDEK(v.Team, v.WrappedDEK)
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range v.Records {
		f.Add(string(r.Purpose), v.Team, r.Key, r.Version, []byte(r.Sealed))
		f.Add(string(r.Purpose), v.Team, r.Key, r.Version+1, []byte(r.Sealed))
		f.Add(string(r.Purpose), v.Team, r.Key, r.Version, []byte(r.Sealed[:20]))
	}
	f.Add("", "", "", int64(0), []byte(nil))
	f.Fuzz(func(t *testing.T, purpose, team, key string, version int64, sealed []byte) {
		ad := envelope.AssociatedData{Purpose: envelope.Purpose(purpose), Team: team, Key: key, Version: version}
		plaintext, err := dek.Open(ad, sealed)
		if err == nil {
			// Only what was sealed with this key opens, and only the known
			// answers ever were.
			for _, r := range v.Records {
				if ad == v.associatedData(r) && bytes.Equal(sealed, r.Sealed) && string(plaintext) == r.Plaintext {
					return
				}
			}
			t.Fatalf("a forged record opened at %+v", ad)
		}
		if !errors.Is(err, envelope.ErrOpen) || plaintext != nil {
			t.Fatalf("error %v with %d bytes of plaintext", err, len(plaintext))
		}
	})
}
