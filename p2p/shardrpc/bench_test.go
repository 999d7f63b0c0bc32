package shardrpc_test

import (
	"context"
	"io"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p"
	"holdfast/p2p/rpc/pipenet"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store"
	"holdfast/store/mem"
)

func shelf() store.Shelf { return mem.New(1 << 30) }

// weightless is a backend whose shelf costs nothing: what is left is the protocol
// and the channel.
type weightless struct {
	shardrpc.Session
	row []byte
}

func (w weightless) Open(context.Context, ident.PublicKey, ident.CID, shardrpc.Credential) (shardrpc.Session, error) {
	return w, nil
}

func (w weightless) Put(_ context.Context, _ shardrpc.Nonce, _ int, _ []byte, row io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if _, err := row.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (w weightless) Get(context.Context, shardrpc.Ref) (shardrpc.Payload, error) { return w, nil }
func (w weightless) Size() int64                                                 { return int64(len(w.row)) }
func (w weightless) Close() error                                                { return nil }

func (w weightless) WriteTo(out io.Writer) (int64, error) {
	const piece = 256 << 10
	for at := 0; at < len(w.row); at += piece {
		if _, err := out.Write(w.row[at:min(at+piece, len(w.row))]); err != nil {
			return int64(at), err
		}
	}
	return w.Size(), nil
}

func overPipe(t testing.TB, b shardrpc.Backend, vault ident.CID) shardrpc.Holder {
	net := pipenet.New()
	node := net.Host(shardrpctest.Key("node", 0).Public())
	shardrpc.Serve(node, b, shardrpc.Limits{})
	c := shardrpc.NewClient(net.Host(shardrpctest.Key("device", 0).Public()), shardrpc.Limits{})
	t.Cleanup(func() {
		c.Close()
		node.Close()
	})
	return c.Holder(node.Key(), vault, shardrpc.Credential{})
}

// BenchmarkHolder moves rows of 8 MiB: over a pipe and over real hosts on the
// loopback interface, both ends in this process; to a shelf that costs nothing and
// to one in memory, which hashes.
func BenchmarkHolder(b *testing.B) {
	s := shardrpctest.NewSegment(b, erasure.Code{K: 1, N: 2}, 8<<20, 1)
	vault := ident.SumDagCBOR([]byte("vault"))
	for _, way := range []struct {
		name string
		open func(testing.TB, shardrpc.Backend, ident.CID) shardrpc.Holder
	}{{"pipe", overPipe}, {"p2p", overP2P}} {
		m := memory()
		m.Shelf = shelf()
		for _, shelf := range []struct {
			name    string
			backend shardrpc.Backend
		}{{"weightless", weightless{row: s.Rows[0]}}, {"memory", m}} {
			h := way.open(b, shelf.backend, vault)
			if err := h.Put(b.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); err != nil {
				b.Fatal(err)
			}
			name := way.name + "/" + shelf.name
			b.Run("Put/"+name, func(b *testing.B) { benchmarkPut(b, h, s) })
			b.Run("Get/"+name, func(b *testing.B) { benchmarkGet(b, h, s) })
			if shelf.name == "memory" {
				b.Run("Range1M/"+name, func(b *testing.B) { benchmarkRange(b, h, s, 1<<20) })
				b.Run("Range64K/"+name, func(b *testing.B) { benchmarkRange(b, h, s, 64<<10) })
				b.Run("Has/"+name, func(b *testing.B) { benchmarkHas(b, h, s) })
			}
		}
	}
}

func benchmarkPut(b *testing.B, h shardrpc.Holder, s shardrpctest.Segment) {
	b.SetBytes(s.Parsed.RowSize())
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Put(b.Context(), shardrpc.Nonce{}, 0, s.Descriptor, s.Rows[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkGet(b *testing.B, h shardrpc.Holder, s shardrpctest.Segment) {
	b.SetBytes(s.Parsed.RowSize())
	b.ReportAllocs()
	dst := make([]byte, s.Parsed.RowSize())
	for b.Loop() {
		if _, err := h.Get(b.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), dst); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRange(b *testing.B, h shardrpc.Holder, s shardrpctest.Segment, n int64) {
	b.SetBytes(n)
	b.ReportAllocs()
	dst := make([]byte, n)
	for b.Loop() {
		if _, err := h.Range(b.Context(), s.Ref(0), s.Parsed.Shards[0], s.Parsed.RowSize(), 3<<20, n, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkHas(b *testing.B, h shardrpc.Holder, s shardrpctest.Segment) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Has(b.Context(), []shardrpc.Ref{s.Ref(0)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChannel moves the same rows without any protocol: what BenchmarkHolder
// can be at best.
func BenchmarkChannel(b *testing.B) {
	const size = 8 << 20
	node, device := hosts(b)
	node.Handle("raw/1", func(_ context.Context, s p2p.Stream) {
		for {
			row := io.LimitedReader{R: s, N: size}
			if err := (weightless{}).Put(context.Background(), shardrpc.Nonce{}, 0, nil, &row); err != nil || row.N > 0 {
				return
			}
			if _, err := s.Write([]byte{1}); err != nil {
				return
			}
		}
	})
	s, err := device.Open(b.Context(), node.ID(), "raw/1")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Reset()
	row := make([]byte, size)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := s.Write(row); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
	}
}
