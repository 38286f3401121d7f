package db

import (
	"fmt"
	"testing"
)

// What is kept takes no more than its bound, and what was used last stays.
func TestKeptIsBounded(t *testing.T) {
	const each = 1000
	k := newKept[string, int](10 * (each + keptOverhead))
	revisions := map[string]int64{"acme": 7}
	for n := range 100 {
		k.put(fmt.Sprint(n), "acme", 7, n, each)
		if got, ok := k.get("0", revisions); !ok || got != 0 {
			t.Fatalf("after %d more the one that is always used is gone", n)
		}
	}
	if n := k.answers.Len(); n != 10 || k.size.Load() != k.most {
		t.Errorf("%d answers of %d bytes are kept, want 10 of %d", n, k.size.Load(), k.most)
	}
	k.put("0", "acme", 7, 1, each)
	if got, _ := k.get("0", revisions); got != 1 || k.size.Load() != k.most {
		t.Errorf("put anew it is %d, and all take %d bytes", got, k.size.Load())
	}
	k.put("large", "acme", 7, 2, int(k.most)+1)
	if k.answers.Len() != 0 || k.size.Load() != 0 {
		t.Errorf("after one that is larger than all may be, %d are kept, of %d bytes", k.answers.Len(), k.size.Load())
	}
}

// An answer of another revision, or of a team that is gone, is not used.
func TestKeptNeedsItsRevision(t *testing.T) {
	k := newKept[string, int](1 << 20)
	k.put("run", "acme", 7, 42, 10)
	for name, c := range map[string]struct {
		revisions map[string]int64
		want      bool
	}{
		"the same":       {map[string]int64{"acme": 7}, true},
		"a later one":    {map[string]int64{"acme": 8}, false},
		"an earlier one": {map[string]int64{"acme": 6}, false},
		"another team's": {map[string]int64{"emca": 7}, false},
		"none":           {nil, false},
	} {
		if _, ok := k.get("run", c.revisions); ok != c.want {
			t.Errorf("%s: used %v, want %v", name, ok, c.want)
		}
	}
}
