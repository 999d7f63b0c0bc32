package node

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{64 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			w := newBench(b, 4)
			s := w.session()
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				g := segment(b, 2*size, uint64(i))
				b.StartTimer()
				if err := s.Put(b.Context(), nonce, 0, g.Descriptor, bytes.NewReader(g.Rows[0])); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				must(b, w.parts().shelf.Remove(b.Context(), g.Key(w.vault.ID(), 0)))
				b.StartTimer()
			}
		})
	}
}

// One receipt over the shards of a commit of 8 GiB.
func BenchmarkReceipt(b *testing.B) {
	w := newBench(b, 4)
	s := w.session()
	var refs []shardrpc.Ref
	for i := range 256 {
		g := segment(b, 1000, uint64(i))
		w.mustPut(s, g, 0)
		refs = append(refs, ref(g, 0))
	}
	for b.Loop() {
		if _, err := s.Receipt(b.Context(), nonce, refs); err != nil {
			b.Fatal(err)
		}
	}
}

// The book's own work for a put, its share of a transaction included.
func BenchmarkBook(b *testing.B) {
	book := testBook(b, filepath.Join(b.TempDir(), bookName), time.Now)
	vault := ident.SumDagCBOR([]byte("vault"))
	for i := 0; b.Loop(); i++ {
		k := store.Key{Vault: vault, Segment: ident.SumDagCBOR(fmt.Append(nil, i)), Index: 0}
		if err := book.arriving(k); err != nil {
			b.Fatal(err)
		}
		if err := book.arrived(k, deviceA, nonce, 4<<20, nil); err != nil {
			b.Fatal(err)
		}
	}
}
