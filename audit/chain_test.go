package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"infsh/audit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// written is a chain of n entries of a team as it is stored, with its head.
func written(team string, n int) ([]audit.Link, audit.Head) {
	var head audit.Head
	var links []audit.Link
	for i := range n {
		var e audit.Entry
		e, head = head.Next(audit.Entry{
			ID: fmt.Sprintf("id-%d", i+1), At: noon.Add(time.Duration(i) * time.Second), TeamID: team,
			ActorKind: "key", ActorID: "u1", ActorName: "ada@example.com", CredentialID: "c1", Action: "app.resolve", Target: "acme/app",
			Outcome: audit.Allowed, Reason: "r", RemoteAddr: "192.0.2.1", RequestID: "q1", RunID: "run-1",
			Versions: []audit.KeyVersion{{Key: "A_KEY", Version: 1}, {Key: "B_KEY", Version: int64(i)}},
		})
		links = append(links, audit.Link{Entry: e, Hash: slices.Clone(head.Hash[:])})
	}
	return links, head
}

// verify is what infsh admin audit verify does with a chain.
func verify(team string, links []audit.Link, head audit.Head) error {
	v := audit.NewVerifier(team, audit.Head{})
	for _, l := range links {
		if err := v.Add(l); err != nil {
			return err
		}
	}
	got, err := v.End(head, true)
	if err == nil && got != head {
		return fmt.Errorf("the head is %v, want %v", got, head)
	}
	return err
}

// Nothing that somebody does to a chain is missed, and the first bad entry is
// the one that is named (U5).
func TestEveryTamperingIsFound(t *testing.T) {
	rehashed := func(l audit.Link, before audit.Head) audit.Link {
		e, head := before.Next(l.Entry)
		return audit.Link{Entry: e, Hash: head.Hash[:]}
	}
	headAt := func(l audit.Link) audit.Head { return audit.Head{Seq: l.Seq, Hash: audit.Hash(l.Hash)} }
	edit := func(change func(*audit.Entry)) func([]audit.Link, *audit.Head) []audit.Link {
		return func(links []audit.Link, _ *audit.Head) []audit.Link {
			links[4].Versions = slices.Clone(links[4].Versions)
			change(&links[4].Entry)
			return links
		}
	}
	other, otherHead := written("beta", 10)
	for _, c := range []struct {
		name   string
		bad    int64
		tamper func([]audit.Link, *audit.Head) []audit.Link
	}{
		{"the id", 5, edit(func(e *audit.Entry) { e.ID = "x" })},
		{"the time, by a microsecond", 5, edit(func(e *audit.Entry) { e.At = e.At.Add(time.Microsecond) })},
		{"the team", 5, edit(func(e *audit.Entry) { e.TeamID = "beta" })},
		{"the actor's kind", 5, edit(func(e *audit.Entry) { e.ActorKind = "x" })},
		{"the actor's id", 5, edit(func(e *audit.Entry) { e.ActorID = "x" })},
		{"the actor's name", 5, edit(func(e *audit.Entry) { e.ActorName = "x" })},
		{"the credential", 5, edit(func(e *audit.Entry) { e.CredentialID = "" })},
		{"the action", 5, edit(func(e *audit.Entry) { e.Action = "x" })},
		{"the target", 5, edit(func(e *audit.Entry) { e.Target = "x" })},
		{"the outcome", 5, edit(func(e *audit.Entry) { e.Outcome = audit.Denied })},
		{"the reason", 5, edit(func(e *audit.Entry) { e.Reason = "x" })},
		{"the address", 5, edit(func(e *audit.Entry) { e.RemoteAddr = "x" })},
		{"the request", 5, edit(func(e *audit.Entry) { e.RequestID = "x" })},
		{"the run", 5, edit(func(e *audit.Entry) { e.RunID = "x" })},
		{"a key of the versions", 5, edit(func(e *audit.Entry) { e.Versions[1].Key = "C_KEY" })},
		{"a number of the versions", 5, edit(func(e *audit.Entry) { e.Versions[1].Version++ })},
		{"a version less", 5, edit(func(e *audit.Entry) { e.Versions = e.Versions[:1] })},
		{"a letter moved to the next field", 5, edit(func(e *audit.Entry) { e.Action, e.Target = "app.resolv", "e"+e.Target })},
		{"the hash", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { l[4].Hash[31] ^= 1; return l }},
		{"a shorter hash", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { l[4].Hash = l[4].Hash[:31]; return l }},
		{"no hash", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { l[4].Hash = nil; return l }},
		{"an entry with its hash made anew", 6, func(l []audit.Link, _ *audit.Head) []audit.Link {
			l[4].Target = "x"
			l[4] = rehashed(l[4], headAt(l[3]))
			return l
		}},
		{"an entry left out", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { return slices.Delete(l, 4, 5) }},
		{"the first left out", 1, func(l []audit.Link, _ *audit.Head) []audit.Link { return l[1:] }},
		{"an entry left out and the others numbered anew", 5, func(l []audit.Link, _ *audit.Head) []audit.Link {
			l = slices.Delete(l, 4, 5)
			for i := range l {
				l[i].Seq = int64(i + 1)
			}
			return l
		}},
		{"two in the other order", 5, func(l []audit.Link, _ *audit.Head) []audit.Link {
			l[4], l[5] = l[5], l[4]
			return l
		}},
		{"two in the other order, with their numbers", 5, func(l []audit.Link, _ *audit.Head) []audit.Link {
			l[4], l[5] = l[5], l[4]
			l[4].Seq, l[5].Seq = 5, 6
			return l
		}},
		{"an entry twice", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { return slices.Insert(l, 5, l[4]) }},
		{"an entry before the first", 0, func(l []audit.Link, _ *audit.Head) []audit.Link {
			before := l[0]
			before.Seq = 0
			return slices.Insert(l, 0, before)
		}},
		{"another team's entry in its place", 5, func(l []audit.Link, _ *audit.Head) []audit.Link { l[4] = other[4]; return l }},
		{"another team's entry in its place, under this team's name", 5, func(l []audit.Link, _ *audit.Head) []audit.Link {
			l[4] = other[4]
			l[4].TeamID = "acme"
			return l
		}},
		{"the end cut off", 8, func(l []audit.Link, _ *audit.Head) []audit.Link { return l[:7] }},
		{"everything cut off", 1, func([]audit.Link, *audit.Head) []audit.Link { return nil }},
		{"an entry behind the end", 11, func(l []audit.Link, h *audit.Head) []audit.Link {
			e, head := h.Next(l[4].Entry)
			return append(l, audit.Link{Entry: e, Hash: head.Hash[:]})
		}},
		{"the head's hash", 10, func(l []audit.Link, h *audit.Head) []audit.Link { h.Hash[0] ^= 1; return l }},
		{"the head of another team", 10, func(l []audit.Link, h *audit.Head) []audit.Link { *h = otherHead; return l }},
		{"the head's number, lower", 10, func(l []audit.Link, h *audit.Head) []audit.Link { h.Seq = 9; return l }},
		{"the head's number, below all", 1, func(l []audit.Link, h *audit.Head) []audit.Link { h.Seq = -3; return l }},
		{"the head's number, higher", 11, func(l []audit.Link, h *audit.Head) []audit.Link { h.Seq = 11; return l }},
	} {
		links, head := written("acme", 10)
		if err := verify("acme", links, head); err != nil {
			t.Fatalf("an untouched chain: %v", err)
		}
		err := verify("acme", c.tamper(links, &head), head)
		var broken *audit.Broken
		if !errors.As(err, &broken) || broken.Seq != c.bad || broken.TeamID != "acme" {
			t.Errorf("%s: the first bad entry is %d, and verify says %v", c.name, c.bad, err)
		}
	}
}

// A chain without its head is not believed, and neither is a team without one.
func TestAChainNeedsItsHead(t *testing.T) {
	links, _ := written("acme", 2)
	for n := range len(links) + 1 {
		v := audit.NewVerifier("acme", audit.Head{})
		for _, l := range links[:n] {
			if err := v.Add(l); err != nil {
				t.Fatal(err)
			}
		}
		var broken *audit.Broken
		if _, err := v.End(audit.Head{}, false); !errors.As(err, &broken) {
			t.Errorf("%d entries without a head: %v", n, err)
		}
	}
}

// Whoever writes the whole database can cut a chain off together with its
// head, or write it anew. A head that was kept elsewhere shows it.
func TestTheHeadKeptElsewhere(t *testing.T) {
	links, head := written("acme", 10)
	verifyFrom := func(links []audit.Link, head, kept audit.Head) error {
		l := log{{TeamID: "acme"}: links}
		got, err := audit.Verify(t.Context(), l, "acme", kept)
		if err == nil && got != head {
			t.Errorf("the head is %v", got)
		}
		return err
	}
	cut := audit.Head{Seq: 7, Hash: audit.Hash(links[6].Hash)}
	var anew []audit.Link
	var anewHead audit.Head
	for i, l := range links {
		if i == 4 {
			l.Target = "x"
		}
		l.Entry, anewHead = anewHead.Next(l.Entry)
		anew = append(anew, audit.Link{Entry: l.Entry, Hash: bytes.Clone(anewHead.Hash[:])})
	}
	for _, c := range []struct {
		name  string
		links []audit.Link
		head  audit.Head
		kept  audit.Head
		bad   int64
	}{
		{"untouched", links, head, head, 0},
		{"untouched, and longer since", links, head, cut, 0},
		{"cut off, and nothing was kept", links[:7], cut, audit.Head{}, 0},
		{"cut off", links[:7], cut, head, 8},
		{"written anew, and nothing was kept", anew, anewHead, audit.Head{}, 0},
		{"written anew", anew, anewHead, cut, 7},
	} {
		err := verifyFrom(c.links, c.head, c.kept)
		var broken *audit.Broken
		if errors.As(err, &broken) != (c.bad > 0) || broken != nil && broken.Seq != c.bad {
			t.Errorf("%s: the first bad entry is %d, and verify says %v", c.name, c.bad, err)
		}
	}
	if again, err := audit.ParseHead(head.String()); again != head || err != nil {
		t.Errorf("%s is read as %v, %v", head, again, err)
	}
	for _, bad := range []string{"", "1", "1:", ":" + head.Hash.String(), "0:" + head.Hash.String(), "x:" + head.Hash.String(), "1:" + head.Hash.String()[1:], head.String() + "00"} {
		if _, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q is a head", bad)
		}
	}
}

// An entry that no database could hold as it is, is stored as near as possible.
func TestWhatIsStoredIsWhatWasHashed(t *testing.T) {
	e, head := audit.Head{}.Next(audit.Entry{At: noon.In(time.FixedZone("", 3600)), Target: "a\x00b\xff", Versions: []audit.KeyVersion{{Key: "\xfe"}}})
	if e.Target != "a\uFFFDb\uFFFD" || e.Versions[0].Key != "\uFFFD" || e.At.Nanosecond() != 123456000 || e.At.Location() != time.UTC {
		t.Errorf("stored is %+v", e)
	}
	if err := verify("", []audit.Link{{Entry: e, Hash: head.Hash[:]}}, head); err != nil {
		t.Error(err)
	}
}

// No two entries have the same hash, whatever stands in their fields, and a
// chain of whatever entries verifies.
func FuzzChain(f *testing.F) {
	f.Add("acme", "app.resolve", "acme/app", "A_KEY", int64(1), int64(0), uint8(3))
	f.Add("", "session.login", "", "", int64(-1), int64(1)<<62, uint8(0))
	f.Add("a\x00b", "\xff", "\u202e", strings.Repeat("k", 300), int64(0), int64(-5), uint8(9))
	f.Fuzz(func(t *testing.T, team, action, target, key string, version, us int64, where uint8) {
		var head audit.Head
		var links []audit.Link
		for i := range 4 {
			var e audit.Entry
			e, head = head.Next(audit.Entry{
				ID: fmt.Sprint(i), TeamID: team, At: time.UnixMicro(us), Action: action, Target: target,
				Versions: slices.Repeat([]audit.KeyVersion{{Key: key, Version: version}}, i),
			})
			links = append(links, audit.Link{Entry: e, Hash: slices.Clone(head.Hash[:])})
		}
		team = links[0].TeamID
		if err := verify(team, links, head); err != nil {
			t.Fatalf("an untouched chain: %v", err)
		}
		// One entry changes in one field.
		at := int(where % 4)
		l := &links[at]
		switch where / 4 % 5 {
		case 0:
			l.Target += "x"
		case 1:
			l.Action, l.RunID = l.Action+l.RunID, l.Action
		case 2:
			l.At = time.UnixMicro(us ^ 1)
		case 3:
			l.Versions = append(slices.Clone(l.Versions), audit.KeyVersion{Key: key})
		case 4:
			l.Hash[where%32] ^= 1
		}
		if where/4%5 == 1 && l.Action == "" && l.RunID == "" {
			return // nothing has changed
		}
		var broken *audit.Broken
		if err := verify(team, links, head); !errors.As(err, &broken) || broken.Seq != int64(at+1) {
			t.Errorf("entry %d was changed, and verify says %v", at+1, err)
		}
	})
}
