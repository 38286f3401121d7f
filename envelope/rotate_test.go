package envelope_test

import (
	"errors"
	"slices"
	"testing"

	"infsh/envelope"
)

// While one KEK replaces another, both open what they wrapped, and the first
// wraps; which one is first follows from the store's check.
func TestTwoKEKs(t *testing.T) {
	old, _ := newKEK(t)
	young, _ := newKEK(t)
	check, err := old.SealCheck("store")
	if err != nil {
		t.Fatal(err)
	}
	both := young.And(old)
	if both.ID() != young.ID() {
		t.Errorf("the first is %s", both.ID())
	}
	used, err := both.InUse("store", check)
	if err != nil || used.ID() != old.ID() {
		t.Fatalf("in use is %v, %v", used, err)
	}
	wrapped, id, err := both.WrapDEKFor("store", check, "team-a")
	if err != nil || id != old.ID() {
		t.Fatalf("wrapped by %s, %v", id, err)
	}
	if _, err := old.OpenDEK("team-a", wrapped); err != nil {
		t.Errorf("the KEK in use: %v", err)
	}
	if _, err := young.OpenDEK("team-a", wrapped); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("the KEK that is not in use yet: %v", err)
	}
	rewrapped, err := both.Rewrap("team-a", wrapped, young)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string][]byte{"before": wrapped, "after": rewrapped} {
		if _, err := both.OpenDEK("team-a", w); err != nil {
			t.Errorf("%s the rotation: %v", name, err)
		}
	}
	if _, err := young.InUse("store", check); !errors.Is(err, envelope.ErrKEKWrong) {
		t.Errorf("the check of another: %v", err)
	}
	if _, _, err := young.WrapDEKFor("store", check, "team-a"); !errors.Is(err, envelope.ErrKEKWrong) {
		t.Errorf("wrapping for the store of another: %v", err)
	}
	if _, id, err := young.WrapDEKFor("", nil, "team-a"); err != nil || id != young.ID() {
		t.Errorf("a store without a check: %s, %v", id, err)
	}
}

// A keyset that got a key seals with it and opens all; one that lost its older
// keys opens only what the newest sealed.
func TestDEKKeysComeAndGo(t *testing.T) {
	kek, text := newKEK(t)
	one, err := kek.WrapNewDEK("team-a")
	if err != nil {
		t.Fatal(err)
	}
	open := func(wrapped []byte) *envelope.DEK {
		t.Helper()
		dek, err := kek.OpenDEK("team-a", wrapped)
		if err != nil {
			t.Fatal(err)
		}
		return dek
	}
	two, err := kek.AddDEKKey("team-a", one)
	if err != nil {
		t.Fatal(err)
	}
	first, both := open(one), open(two)
	if ids := both.KeyIDs(); len(ids) != 2 || ids[0] == ids[1] || !slices.Equal(ids[1:], first.KeyIDs()) {
		t.Fatalf("keys %d, with one more %d", first.KeyIDs(), ids)
	}
	old, young := mustSeal(t, first, place, []byte("old")), mustSeal(t, both, place, []byte("young"))
	if !slices.Equal(old[:5], first.Prefix()) || !slices.Equal(young[:5], both.Prefix()) {
		t.Error("a record does not begin with the prefix of the key that sealed it")
	}
	if got, err := both.Open(place, old); err != nil || string(got) != "old" {
		t.Errorf("what the older key sealed: %q, %v", got, err)
	}
	wantErrOpen(t, first, place, young, "the key that was not there yet")

	left, err := kek.DropOldDEKKeys("team-a", two)
	if err != nil {
		t.Fatal(err)
	}
	newest := open(left)
	if !slices.Equal(newest.KeyIDs(), both.KeyIDs()[:1]) {
		t.Errorf("keys %d are left of %d", newest.KeyIDs(), both.KeyIDs())
	}
	if got, err := newest.Open(place, young); err != nil || string(got) != "young" {
		t.Errorf("what the newest key sealed: %q, %v", got, err)
	}
	wantErrOpen(t, newest, place, old, "a key that was dropped")

	// Every form of it is what docs/format.md describes, read by hand.
	key := kekByHand(t, []byte(text))
	for _, wrapped := range [][]byte{one, left} {
		ks, err := parseSealed(t, wrapped).open(key.bytes, associatedDataByHand("dek", "team-a", "", 0))
		if err != nil {
			t.Fatal(err)
		}
		if k := dekByHand(t, ks); !slices.Equal([]uint32{k.id}, open(wrapped).KeyIDs()) {
			t.Errorf("by hand the key is %d", k.id)
		}
	}
	for name, change := range map[string]func(string, []byte) ([]byte, error){"add": kek.AddDEKKey, "drop": kek.DropOldDEKKeys} {
		if _, err := change("team-b", one); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("%s a key of another team: %v", name, err)
		}
		if _, err := change("", one); !errors.Is(err, envelope.ErrOpen) {
			t.Errorf("%s a key of no team: %v", name, err)
		}
	}
}
