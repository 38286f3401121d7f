package envelope

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// maxCachedDEKs bounds the memory of opened keysets, at some kilobytes each.
const maxCachedDEKs = 1024

// cacheKey names a wrapped keyset by what it is rather than by whose it is
// said to be: a replaced wrapping, or one presented for another team, misses.
type cacheKey struct {
	team    string
	wrapped [sha256.Size]byte
}

type cacheEntry struct {
	key cacheKey
	dek *DEK
}

// dekCache is an LRU cache of opened keysets.
type dekCache struct {
	mu      sync.Mutex
	entries map[cacheKey]*list.Element
	recent  *list.List // front: used last; values are cacheEntry
	limit   int

	hits, misses atomic.Int64
}

// CacheStats counts how often OpenDEK found an opened keyset, and how often it
// had to unwrap one.
func (k *KEK) CacheStats() (hits, misses int64) {
	return k.cache.hits.Load(), k.cache.misses.Load()
}

// CachedDEKs is how many opened keysets are in memory.
func (k *KEK) CachedDEKs() int {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	return k.cache.recent.Len()
}

func newDEKCache(limit int) *dekCache {
	return &dekCache{entries: make(map[cacheKey]*list.Element), recent: list.New(), limit: limit}
}

func (c *dekCache) get(key cacheKey) (*DEK, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		c.misses.Add(1)
		return nil, false
	}
	c.hits.Add(1)
	c.recent.MoveToFront(e)
	return e.Value.(cacheEntry).dek, true
}

func (c *dekCache) put(key cacheKey, dek *DEK) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; ok {
		return // two callers opened the same keyset at once
	}
	c.entries[key] = c.recent.PushFront(cacheEntry{key, dek})
	if c.recent.Len() > c.limit {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, oldest.Value.(cacheEntry).key)
	}
}
