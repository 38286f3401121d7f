package envelope

import "testing"

func TestDEKCacheIsBoundedAndForgetsTheLeastRecentlyUsed(t *testing.T) {
	c := newDEKCache(2)
	a, b, d := cacheKey{team: "a"}, cacheKey{team: "b"}, cacheKey{team: "d"}
	dek := &DEK{team: "a"}
	c.put(a, dek)
	c.put(b, &DEK{team: "b"})
	if got, ok := c.get(a); !ok || got != dek {
		t.Fatal("a is not in the cache")
	}
	c.put(d, &DEK{team: "d"})
	if _, ok := c.get(b); ok {
		t.Error("b was used longest ago and is still there")
	}
	for _, key := range []cacheKey{a, d} {
		if _, ok := c.get(key); !ok {
			t.Errorf("%s was forgotten", key.team)
		}
	}
	c.put(a, &DEK{team: "a"})
	if got, _ := c.get(a); got != dek {
		t.Error("a second opening replaced the keyset that others use")
	}
	if n := c.deks.Len(); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func TestDEKCacheDoesNotMixTeams(t *testing.T) {
	c := newDEKCache(2)
	c.put(cacheKey{team: "a", wrapped: [32]byte{1}}, &DEK{team: "a"})
	if _, ok := c.get(cacheKey{team: "b", wrapped: [32]byte{1}}); ok {
		t.Error("another team got the keyset")
	}
	if _, ok := c.get(cacheKey{team: "a", wrapped: [32]byte{2}}); ok {
		t.Error("another wrapping got the keyset")
	}
}
