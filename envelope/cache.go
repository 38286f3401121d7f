package envelope

import (
	"crypto/sha256"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxCachedDEKs bounds the memory of opened keysets, at 1.5 KiB each with one
// key: 24 MiB.
const maxCachedDEKs = 16_384

// cacheKey names a wrapped keyset by what it is rather than by whose it is
// said to be: a replaced wrapping, or one presented for another team, misses.
type cacheKey struct {
	team    string
	wrapped [sha256.Size]byte
}

// dekCache is an LRU cache of opened keysets.
type dekCache struct {
	deks         *lru.Cache[cacheKey, *DEK]
	hits, misses atomic.Int64
}

// CacheStats counts how often OpenDEK found an opened keyset, and how often it
// had to unwrap one.
func (k *KEK) CacheStats() (hits, misses int64) {
	return k.cache.hits.Load(), k.cache.misses.Load()
}

// CachedDEKs is how many opened keysets are in memory.
func (k *KEK) CachedDEKs() int { return k.cache.deks.Len() }

func newDEKCache(limit int) *dekCache {
	deks, err := lru.New[cacheKey, *DEK](limit)
	if err != nil {
		panic(err) // only a limit below 1 is refused
	}
	return &dekCache{deks: deks}
}

func (c *dekCache) get(key cacheKey) (*DEK, bool) {
	dek, ok := c.deks.Get(key)
	if ok {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
	return dek, ok
}

// put keeps the first of two that callers have opened at once.
func (c *dekCache) put(key cacheKey, dek *DEK) { c.deks.ContainsOrAdd(key, dek) }
