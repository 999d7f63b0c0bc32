package seal

import (
	"errors"
	"sync"
	"testing"

	luke "lukechampine.com/blake3"
	"pgregory.net/rapid"
)

var testKeys = Entropy{4, 2}.Keys([]byte("salt"))

// TestChunkID has another implementation of keyed BLAKE3 as the second opinion,
// with lengths around those where implementations change their ways.
func TestChunkID(t *testing.T) {
	data := randomBytes(1, 70000)
	for _, n := range []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 8191, 8192, 8193, 16384, 70000} {
		for kind, key := range map[Kind][32]byte{KindData: testKeys.DedupData, KindTree: testKeys.DedupTree} {
			h := luke.New(32, key[:])
			h.Write(data[:n])
			if got, want := testKeys.ID(kind, data[:n]), ChunkID(h.Sum(nil)); got != want {
				t.Errorf("%v chunk of %d bytes: %v, want %v", kind, n, got, want)
			}
		}
	}
}

func TestChunkIDLaws(t *testing.T) {
	others := Entropy{4, 3}.Keys([]byte("salt"))
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		id := testKeys.ID(KindData, p)
		if testKeys.ID(KindData, p) != id {
			t.Fatal("two names")
		}
		if testKeys.ID(KindTree, p) == id || others.ID(KindData, p) == id {
			t.Fatal("one name under two keys")
		}
		if err := testKeys.Check(KindData, id, p); err != nil {
			t.Fatal(err)
		}
		if err := testKeys.Check(KindData, id, append(p, 0)); !errors.Is(err, ErrChunk) {
			t.Fatalf("another chunk passes: %v", err)
		}
		for _, k := range []Kind{KindTree, 2, 255} {
			if err := testKeys.Check(k, id, p); !errors.Is(err, ErrChunk) {
				t.Fatalf("kind %d passes: %v", k, err)
			}
		}
	})
}

// TestChunkIDsFromManyGoroutines mixes keys and kinds over the pooled hashers.
func TestChunkIDsFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		keys := Entropy{byte(g)}.Keys(nil)
		data := randomBytes(byte(g), 10000)
		want := keys.ID(KindTree, data)
		wg.Go(func() {
			for range 200 {
				keys.ID(KindData, data)
				if keys.ID(KindTree, data) != want {
					t.Error("a name changed")
				}
			}
		})
	}
	wg.Wait()
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		KindData.String(): "data", KindTree.String(): "tree", Kind(2).String(): "unknown 2",
		Plain.String(): "plain", Zstd.String(): "zstd", Coding(255).String(): "unknown 255",
		ChunkID{0xab}.String()[:4]: "ab00",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
