package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"infsh/envelope"
)

func TestOpenDEKGivesTheSameKeysetAgain(t *testing.T) {
	kek, text := newKEK(t)
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	first, err := kek.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, first, place, []byte("value"))
	// The second is from the cache, the third from another process's KEK.
	again, err := kek.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := kekFromText(t, text).OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for _, dek := range []*envelope.DEK{again, elsewhere} {
		if got, err := dek.Open(place, sealed); err != nil || string(got) != "value" {
			t.Errorf("opened %q, %v", got, err)
		}
	}
}

func TestEveryWrappedDEKIsNew(t *testing.T) {
	kek, text := newKEK(t)
	primary := kekByHand(t, []byte(text))
	seen := map[string]bool{}
	for range 100 {
		wrapped, err := kek.WrapNewDEK("team-a")
		if err != nil {
			t.Fatal(err)
		}
		ks, err := parseSealed(t, wrapped).open(primary.bytes, associatedDataByHand("dek", "team-a", "", 0))
		if err != nil {
			t.Fatal(err)
		}
		seen[string(dekByHand(t, ks).bytes)] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 new DEKs have %d keys", len(seen))
	}
	if _, err := kek.WrapNewDEK(""); err == nil {
		t.Error("a DEK was made for no team")
	}
}

// Security case C3 for wrapped keysets: no bit of them is left unbound, and
// each opens only for its team and under its KEK. The cache must not help: the
// right keyset was opened before.
func TestDamagedOrMovedDEKDoesNotOpen(t *testing.T) {
	kek, _ := newKEK(t)
	stranger, _ := newKEK(t)
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kek.OpenDEK("team-a", wrapped); err != nil {
		t.Fatal(err)
	}
	wantRefused := func(kek *envelope.KEK, team string, wrapped []byte, what string, args ...any) {
		t.Helper()
		if dek, err := kek.OpenDEK(team, wrapped); dek != nil || !errors.Is(err, envelope.ErrOpen) {
			t.Errorf(what+": %v; want ErrOpen", append(args, err)...)
		}
		if again, err := kek.Rewrap(team, wrapped, stranger); again != nil || !errors.Is(err, envelope.ErrOpen) {
			t.Errorf(what+", rewrapped: %v; want ErrOpen", append(args, err)...)
		}
	}
	for bit := range len(wrapped) * 8 {
		wantRefused(kek, "team-a", flipBit(wrapped, bit), "bit %d flipped", bit)
	}
	for n := range len(wrapped) {
		wantRefused(kek, "team-a", wrapped[:n], "cut to %d bytes", n)
	}
	wantRefused(kek, "team-a", nil, "nothing")
	wantRefused(kek, "team-a", make([]byte, 16<<20), "16 MiB of zeros")
	wantRefused(kek, "team-a", append(bytes.Clone(wrapped), 0), "one byte appended")
	wantRefused(kek, "team-b", wrapped, "another team's")
	wantRefused(kek, "", wrapped, "no team's")
	wantRefused(stranger, "team-a", wrapped, "another KEK's")
}

// Even what the right KEK sealed is no DEK unless it is AES-256-GCM throughout:
// a keyset that was downgraded elsewhere does not come back in.
func TestWeakOrMalformedKeysetIsNoDEK(t *testing.T) {
	kek, text := newKEK(t)
	primary := kekByHand(t, []byte(text))
	const aesGCM = "type.googleapis.com/google.crypto.tink.AesGcmKey"
	const tinkPrefix, rawPrefix, enabled, disabled = 1, 3, 1, 2
	keyOf := func(size int) []byte { return protoBytes(3, bytes.Repeat([]byte{1, 2}, size/2+1)[:size]) }
	cases := []struct {
		name   string
		keyset []byte
		ok     bool
	}{
		{"a proper keyset, as the control", protoKeyset(7, aesGCM, keyOf(32), enabled, tinkPrefix), true},
		{"key of 0 bytes", protoKeyset(7, aesGCM, keyOf(0), enabled, tinkPrefix), false},
		{"no key value", protoKeyset(7, aesGCM, nil, enabled, tinkPrefix), false},
		{"key of 16 bytes: AES-128", protoKeyset(7, aesGCM, keyOf(16), enabled, tinkPrefix), false},
		{"key of 31 bytes", protoKeyset(7, aesGCM, keyOf(31), enabled, tinkPrefix), false},
		{"key of 33 bytes", protoKeyset(7, aesGCM, keyOf(33), enabled, tinkPrefix), false},
		{"key of 60,000 bytes", protoKeyset(7, aesGCM, keyOf(60_000), enabled, tinkPrefix), false},
		{"key of 4 MiB", protoKeyset(7, aesGCM, keyOf(4<<20), enabled, tinkPrefix), false},
		{"no output prefix", protoKeyset(7, aesGCM, keyOf(32), enabled, rawPrefix), false},
		{"primary key disabled", protoKeyset(7, aesGCM, keyOf(32), disabled, tinkPrefix), false},
		{"another algorithm", protoKeyset(7, "type.googleapis.com/google.crypto.tink.AesGcmSivKey", keyOf(32), enabled, tinkPrefix), false},
		{"an unknown algorithm", protoKeyset(7, "type.googleapis.com/none", keyOf(32), enabled, tinkPrefix), false},
		{"two keys with one id", append(protoKeyset(7, aesGCM, keyOf(32), enabled, tinkPrefix), protoKeyset(7, aesGCM, keyOf(32), enabled, tinkPrefix)...), false},
		{"primary key absent", protoNumber(1, 7), false},
		{"empty", nil, false},
		{"no protocol buffer", []byte("\xff\xff\xff\xff"), false},
	}
	for _, c := range cases {
		wrapped := sealByHand(t, primary.bytes, primary.id, c.keyset, associatedDataByHand("dek", "team-a", "", 0))
		dek, err := kek.OpenDEK("team-a", wrapped)
		if c.ok && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok && (dek != nil || !errors.Is(err, envelope.ErrOpen)) {
			t.Errorf("%s: %v; want ErrOpen", c.name, err)
		}
	}
}

func protoNumber(number int, v uint64) []byte {
	return binary.AppendUvarint([]byte{byte(number << 3)}, v)
}

func protoBytes(number int, b []byte) []byte {
	return append(binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(b))), b...)
}

func protoKeyset(id uint64, typeURL string, value []byte, status, prefix uint64) []byte {
	data := append(protoBytes(1, []byte(typeURL)), protoBytes(2, value)...)
	data = append(data, protoNumber(3, 1)...)
	key := append(protoBytes(1, data), protoNumber(2, status)...)
	key = append(append(key, protoNumber(3, id)...), protoNumber(4, prefix)...)
	return append(protoNumber(1, id), protoBytes(2, key)...)
}

// After a rotation of the KEK, records open as before, the new KEK alone opens
// the keyset, and the old one can be destroyed.
func TestRewrap(t *testing.T) {
	from, _ := newKEK(t)
	to, _ := newKEK(t)
	wrapped, err := from.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	before, err := from.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, before, place, []byte("value"))

	rewrapped, err := from.Rewrap("team-a", wrapped, to)
	if err != nil {
		t.Fatal(err)
	}
	after, err := to.OpenDEK("team-a", rewrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Open(place, sealed); err != nil || string(got) != "value" {
		t.Errorf("after the rotation: %q, %v", got, err)
	}
	if _, err := from.OpenDEK("team-a", rewrapped); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the old KEK opens the new wrapping: %v", err)
	}
	if _, err := to.OpenDEK("team-b", rewrapped); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the team was lost: %v", err)
	}
}

// A KEK keyset may hold older keys: they decrypt, the primary encrypts.
func TestOlderKeysOfAKEKDecrypt(t *testing.T) {
	old, oldText := newKEK(t)
	young, youngText := newKEK(t)
	both := kekFromText(t, mergeKeysets(t, youngText, oldText))

	if both.ID() != young.ID() || both.ID() == old.ID() {
		t.Errorf("the ID is %s, want that of the primary key, %s", both.ID(), young.ID())
	}
	wrapped, err := old.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.OpenDEK("team-a", wrapped); err != nil {
		t.Errorf("what the older key wrapped: %v", err)
	}
	check, err := old.SealCheck("store")
	if err != nil {
		t.Fatal(err)
	}
	if err := both.VerifyCheck("store", check); err != nil {
		t.Errorf("what the older key sealed: %v", err)
	}
	rewrapped, err := both.Rewrap("team-a", wrapped, both)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := young.OpenDEK("team-a", rewrapped); err != nil {
		t.Errorf("the primary key does not encrypt: %v", err)
	}
}

// mergeKeysets adds the keys of the second keyset to the first.
func mergeKeysets(t *testing.T, first, second string) string {
	t.Helper()
	var a, b struct {
		PrimaryKeyID uint32            `json:"primaryKeyId"`
		Key          []json.RawMessage `json:"key"`
	}
	if err := errors.Join(json.Unmarshal([]byte(first), &a), json.Unmarshal([]byte(second), &b)); err != nil {
		t.Fatal(err)
	}
	a.Key = append(a.Key, b.Key...)
	merged, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(merged)
}

func TestKEKCheck(t *testing.T) {
	kek, _ := newKEK(t)
	other, _ := newKEK(t)
	check, err := kek.SealCheck("store-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := kek.VerifyCheck("store-1", check); err != nil {
		t.Errorf("the right KEK: %v", err)
	}
	dekAsCheck, err := kek.WrapNewDEK("store-1")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		kek   *envelope.KEK
		store string
		check []byte
	}{
		{"another KEK", other, "store-1", check},
		{"another store", kek, "store-2", check},
		{"no store", kek, "", check},
		{"no check", kek, "store-1", nil},
		{"truncated", kek, "store-1", check[:len(check)-1]},
		{"damaged", kek, "store-1", flipBit(check, 200)},
		{"a wrapped DEK in its place", kek, "store-1", dekAsCheck},
	}
	for _, c := range cases {
		if err := c.kek.VerifyCheck(c.store, c.check); !errors.Is(err, envelope.ErrKEKWrong) {
			t.Errorf("%s: %v, want ErrKEKWrong", c.name, err)
		}
	}
	if _, err := kek.SealCheck(""); err == nil {
		t.Error("a check was sealed for no store")
	}
}

// Many requests of many teams open keysets at once; run with -race.
func TestOpenDEKIsSafeForConcurrentUse(t *testing.T) {
	kek, _ := newKEK(t)
	const teams = 4
	wrapped := make([][]byte, teams)
	for i := range wrapped {
		var err error
		if wrapped[i], err = kek.WrapNewDEK(fmt.Sprint("team-", i)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 100 {
				team := fmt.Sprint("team-", (worker+i)%teams)
				dek, err := kek.OpenDEK(team, wrapped[(worker+i)%teams])
				if err != nil {
					t.Error(err)
					return
				}
				ad := envelope.AssociatedData{Purpose: envelope.SecretValue, Team: team, Key: "K", Version: 1}
				sealed, err := dek.Seal(ad, []byte(team))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := dek.Open(ad, sealed); err != nil || string(got) != team {
					t.Errorf("opened %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// However a KEK or DEK is printed, logged or encoded, no key material appears.
func TestKeysDoNotPrint(t *testing.T) {
	kek, text := newKEK(t)
	key := kekByHand(t, []byte(text)).bytes
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	dek, err := kek.OpenDEK("team-a", wrapped)
	if err != nil {
		t.Fatal(err)
	}
	ks, err := parseSealed(t, wrapped).open(key, associatedDataByHand("dek", "team-a", "", 0))
	if err != nil {
		t.Fatal(err)
	}
	var needles []string
	for _, k := range [][]byte{key, dekByHand(t, ks).bytes} {
		k = k[:12] // a part is as bad as the whole
		goSyntax := fmt.Sprintf("%#v", k)
		needles = append(needles, string(k), fmt.Sprintf("%x", k), fmt.Sprintf("%X", k), fmt.Sprintf("% x", k), strings.Trim(fmt.Sprint(k), "[]"),
			goSyntax[strings.Index(goSyntax, "{")+1:len(goSyntax)-1], base64.StdEncoding.EncodeToString(k), fmt.Sprintf("%q", k))
	}

	type holder struct {
		Exported any
		hidden   any
		kek      envelope.KEK
		dek      envelope.DEK
		pointers []any
	}
	shapes := map[string]any{
		"*KEK": kek, "KEK": *kek, "*DEK": dek, "DEK": *dek,
		"struct":  holder{kek, dek, *kek, *dek, []any{kek, dek}},
		"*struct": &holder{kek, dek, *kek, *dek, []any{*kek, *dek}}, "slice": []any{kek, *kek, dek, *dek}, "map": map[string]any{"kek": kek, "dek": *dek},
	}
	for shape, v := range shapes {
		var printed strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%p", "%T"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			printed.Write(b)
		}
		slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "v", v)
		for _, needle := range needles {
			if strings.Contains(printed.String(), needle) {
				t.Errorf("%s prints key material:\n%s", shape, printed.String())
				break
			}
		}
	}
	if got := fmt.Sprintf("%v|%s|%#v", kek, *kek, kek); got != kek.ID()+"|"+kek.ID()+"|"+kek.ID() {
		t.Errorf("a KEK prints as %s, want its ID", got)
	}
}

func BenchmarkSeal50Bytes(b *testing.B) {
	kek, _ := newKEK(b)
	dek := newDEK(b, kek, place.Team)
	value := make([]byte, 50)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dek.Seal(place, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen50Bytes(b *testing.B) {
	kek, _ := newKEK(b)
	dek := newDEK(b, kek, place.Team)
	sealed := mustSeal(b, dek, place, make([]byte, 50))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dek.Open(place, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenDEKCached(b *testing.B) {
	kek, _ := newKEK(b)
	wrapped, err := kek.WrapNewDEK("team-a")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := kek.OpenDEK("team-a", wrapped); err != nil {
			b.Fatal(err)
		}
	}
}

// More keysets than the cache holds (16,384), in turn, so that each opening misses.
func BenchmarkOpenDEKUncached(b *testing.B) {
	kek, _ := newKEK(b)
	wrapped := make([][]byte, 20_000)
	for i := range wrapped {
		var err error
		if wrapped[i], err = kek.WrapNewDEK("team-a"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := kek.OpenDEK("team-a", wrapped[i%len(wrapped)]); err != nil {
			b.Fatal(err)
		}
	}
}

func randomKey(t testing.TB) []byte {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}
