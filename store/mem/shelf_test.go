package mem

import (
	"testing"

	"holdfast/store"
	"holdfast/store/storetest"
)

func TestShelf(t *testing.T) {
	storetest.Test(t, func(_ testing.TB, capacity int64) store.Shelf { return New(capacity) })
}

func TestTrash(t *testing.T) {
	storetest.TestTrash(t, func(_ testing.TB, capacity int64) storetest.Full { return New(capacity) })
}
