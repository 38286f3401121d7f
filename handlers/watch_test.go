package handlers

import (
	"errors"
	"testing"

	"infsh/problem"
)

// A credential has so many streams and no more; one that ends makes room, and
// another credential has its own.
func TestWatchesAreBounded(t *testing.T) {
	var w watchers
	var leave func()
	for range maxWatches {
		var err error
		if leave, err = w.enter("key"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.enter("key"); !errors.Is(err, problem.RateLimited) {
		t.Errorf("one more: %v", err)
	}
	if _, err := w.enter("another key"); err != nil {
		t.Error(err)
	}
	leave()
	if _, err := w.enter("key"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
