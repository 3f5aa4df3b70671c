package gitstore

import (
	"encoding/binary"
	"sync"
)

// baseCache keeps inflated objects that deltas may build upon, the least
// recently used going first. Its content is shared: nobody may change it.
type baseCache struct {
	mu    sync.Mutex
	limit int64
	used  int64
	items map[cacheKey]*cacheItem
	head  cacheItem // ring: head.next is the newest
}

type cacheKey struct {
	pack int32 // -1 for a loose object
	off  int64 // of a loose object, the start of its id
}

// looseKey is the key of a loose object. Different objects can share it.
func looseKey(id ID) cacheKey {
	return cacheKey{-1, int64(binary.BigEndian.Uint64(id.b[:]))}
}

type cacheItem struct {
	key        cacheKey
	id         ID // of a loose object
	typ        Type
	data       []byte
	prev, next *cacheItem
}

const cacheOverhead = 128 // bytes per item, about

func newBaseCache(limit int64) *baseCache {
	c := &baseCache{limit: limit, items: map[cacheKey]*cacheItem{}}
	c.head.prev, c.head.next = &c.head, &c.head
	return c
}

func (c *baseCache) get(k cacheKey, id ID) (Type, []byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	it := c.items[k]
	if it == nil || it.id != id {
		return 0, nil, false
	}
	it.prev.next, it.next.prev = it.next, it.prev
	c.pushFront(it)
	return it.typ, it.data, true
}

func (c *baseCache) pushFront(it *cacheItem) {
	it.prev, it.next = &c.head, c.head.next
	it.prev.next, it.next.prev = it, it
}

func (c *baseCache) put(k cacheKey, id ID, typ Type, data []byte) {
	cost := int64(len(data)) + cacheOverhead
	if cost > c.limit/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[k] != nil {
		return
	}
	it := &cacheItem{key: k, id: id, typ: typ, data: data}
	c.items[k] = it
	c.pushFront(it)
	c.used += cost
	for c.used > c.limit {
		old := c.head.prev
		old.prev.next, old.next.prev = old.next, old.prev
		delete(c.items, old.key)
		c.used -= int64(len(old.data)) + cacheOverhead
	}
}
