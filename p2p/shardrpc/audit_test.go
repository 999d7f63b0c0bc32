package shardrpc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store"
)

// TestAuditOfTheFaulty: what a holder does wrong is told from what it cannot help.
func TestAuditOfTheFaulty(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100_000, 1)
	ask := []shardrpc.Challenge{{Ref: s.Ref(0), Group: 3, Shard: s.Parsed.Shards[0], Size: s.Parsed.RowSize()}}
	for fault, want := range map[shardrpctest.Fault]any{
		shardrpctest.None:       shardrpc.Proved,
		shardrpctest.WrongBytes: shardrpc.Lied,
		shardrpctest.Lost:       shardrpc.Missing,
		shardrpctest.Corrupt:    shardrpc.Damaged,
		shardrpctest.Paused:     shardrpc.Unproved,
		shardrpctest.Busy:       shardrpc.ErrBusy,
		shardrpctest.Forbidden:  shardrpc.ErrForbidden,
		shardrpctest.Garbage:    rpc.ErrProtocol,
		shardrpctest.Torn:       rpc.ErrBroken,
	} {
		w := shardrpctest.NewNetwork(t, 1, shardrpctest.Config{})
		w.Nodes[0].Keep(t, w.Vault, s, 0)
		w.Nodes[0].Break(fault)
		outcomes, err := w.Holder(w.Nodes[0].Key.Public()).Audit(t.Context(), ask)
		switch want := want.(type) {
		case error:
			if !errors.Is(err, want) {
				t.Errorf("%v: %v, not %v", fault, err, want)
			}
		case shardrpc.Outcome:
			if err != nil || outcomes[0] != want {
				t.Errorf("%v: %v, %v, not %v", fault, outcomes, err, want)
			}
		}
	}
}

// TestProofs: an answer that is not what was asked for is a fault of the protocol, or a
// lie about that one shard.
func TestProofs(t *testing.T) {
	s := shardrpctest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100_000, 1)
	w := shardrpctest.NewNetwork(t, 1, shardrpctest.Config{})
	w.Nodes[0].Keep(t, w.Vault, s, 0)
	ask := []shardrpc.Challenge{
		{Ref: s.Ref(0), Group: 0, Shard: s.Parsed.Shards[0], Size: 100_000},
		{Ref: s.Ref(0), Group: 6, Shard: s.Parsed.Shards[0], Size: 100_000}, // the short one at the end
	}
	slice := func(group int64) []byte {
		shard, err := w.Nodes[0].Shelf.Open(t.Context(), store.Key{Vault: w.Vault, Segment: s.Name()})
		if err != nil {
			t.Fatal(err)
		}
		defer shard.Close()
		var b bytes.Buffer
		off := group * store.GroupSize
		if err := shard.Slice(&b, off, min(store.GroupSize, 100_000-off)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first, last := slice(0), slice(6)
	proved, lied := []shardrpc.Outcome{shardrpc.Proved, shardrpc.Proved}, []shardrpc.Outcome{shardrpc.Lied, shardrpc.Proved}
	spoiled := bytes.Clone(first)
	spoiled[len(spoiled)-1] ^= 1
	longer := bytes.Clone(first)
	binary.LittleEndian.PutUint64(longer, 100_001)
	for name, c := range map[string]struct {
		said   []byte
		proofs []byte
		want   []shardrpc.Outcome
		err    error
	}{
		"good":                  {[]byte{0, 0}, slices.Concat(first, last), proved, nil},
		"a bit":                 {[]byte{0, 0}, slices.Concat(spoiled, last), lied, nil},
		"another length":        {[]byte{0, 0}, slices.Concat(longer, last), lied, nil},
		"another group":         {[]byte{0, 0}, slices.Concat(slice(1), last), lied, nil},
		"refusals":              {[]byte{12, 17}, nil, []shardrpc.Outcome{shardrpc.Missing, shardrpc.Unproved}, nil},
		"bad, and out of range": {[]byte{16, 18}, nil, []shardrpc.Outcome{shardrpc.Damaged, shardrpc.Damaged}, nil},
		"an outcome too few":    {[]byte{0}, first, nil, rpc.ErrProtocol},
		"no such outcome":       {[]byte{0, 77}, first, nil, rpc.ErrProtocol},
		"cut off":               {[]byte{0, 0}, first, nil, io.EOF},
	} {
		got, err := shardrpc.ReadProofs(ask, c.said, c.proofs)
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestListed(t *testing.T) {
	var refs []shardrpc.Ref
	for i := range 5 {
		refs = append(refs, shardrpc.Ref{Segment: ident.NewCID(ident.DagCBOR, [32]byte{9, byte(i)}), Index: i})
	}
	p, err := shardrpc.EncodeListed(refs)
	if err != nil || len(p) != 34*len(refs) {
		t.Fatal(len(p), err)
	}
	if got, err := shardrpc.ParseListed(p, 9, shardrpc.Ref{}); err != nil || !slices.Equal(got, refs) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := shardrpc.ParseListed(p[34:], 9, refs[0]); err != nil || !slices.Equal(got, refs[1:]) {
		t.Errorf("%v, %v", got, err)
	}
	for name, bad := range map[string]func() ([]shardrpc.Ref, error){
		"another bucket": func() ([]shardrpc.Ref, error) { return shardrpc.ParseListed(p, 8, shardrpc.Ref{}) },
		"behind itself":  func() ([]shardrpc.Ref, error) { return shardrpc.ParseListed(p, 9, refs[0]) },
		"twice": func() ([]shardrpc.Ref, error) {
			return shardrpc.ParseListed(append(p[:34:34], p[:34]...), 9, shardrpc.Ref{})
		},
		"a byte more": func() ([]shardrpc.Ref, error) { return shardrpc.ParseListed(append(p[:34:34], 0), 9, shardrpc.Ref{}) },
		"index": func() ([]shardrpc.Ref, error) {
			return shardrpc.ParseListed(append(p[:32:32], 1, 0), 9, shardrpc.Ref{})
		},
	} {
		if got, err := bad(); !errors.Is(err, shardrpc.ErrBadRequest) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(messages(f)["challenges"])
	f.Fuzz(func(t *testing.T, p []byte) {
		if q, err := shardrpc.ParseChallenges(p); err == nil && !bytes.Equal(p, q) {
			t.Errorf("%x comes back as %x", p, q)
		}
	})
}

func FuzzListed(f *testing.F) {
	f.Add(messages(f)["listed"], byte(0))
	f.Fuzz(func(t *testing.T, p []byte, bucket byte) {
		refs, err := shardrpc.ParseListed(p, bucket, shardrpc.Ref{})
		if err != nil {
			return
		}
		if q, err := shardrpc.EncodeListed(refs); err != nil || !bytes.Equal(p, q) {
			t.Errorf("%x comes back as %x, %v", p, q, err)
		}
	})
}
