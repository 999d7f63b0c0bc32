package ledgerrpc_test

import (
	"bytes"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

// The cursor goes there and back, and one of another store is the beginning.
func TestMoves(t *testing.T) {
	f := newFake()
	grant := object("grant")
	m := serve(t, f, ledgerrpc.Limits{}, grant)
	for _, name := range []string{"1", "2", "3"} {
		f.placed = append(f.placed, ledgerrpc.Placement{Receipt: object(name), Certificate: object("certificate " + name)})
	}
	var at ledger.MovesCursor
	for i := range f.placed {
		list, next, err := m.Moves(t.Context(), vault, at)
		if err != nil || len(list) != 1 || !same(list[0].Receipt, f.placed[i].Receipt) || !same(list[0].Certificate, f.placed[i].Certificate) {
			t.Fatal(list, err)
		}
		if next != (ledger.MovesCursor{Store: fakeStore, Next: int64(i) + 1}) {
			t.Errorf("cursor %v after %d", next, i+1)
		}
		at = next
	}
	if list, next, err := m.Moves(t.Context(), vault, at); err != nil || len(list) != 0 || next != at {
		t.Error(list, next, err)
	}
	list, next, err := m.Moves(t.Context(), vault, ledger.MovesCursor{Store: [8]byte{1}, Next: 2})
	if err != nil || len(list) != 1 || !same(list[0].Receipt, f.placed[0].Receipt) || next.Store != fakeStore || next.Next != 1 {
		t.Error(list, next, err)
	}
	if last := f.asked[len(f.asked)-1]; last.Verb != ledgerrpc.Moves || last.Vault != vault || !same(last.Grant, grant) {
		t.Errorf("asked was %+v", last)
	}
	_, _, err = m.Moves(t.Context(), vault, ledger.MovesCursor{Next: -1})
	wantErr(t, err, ledgerrpc.ErrBadRequest)
}

// What a member must not send: a receipt without a certificate, and a cursor that stands
// still, which would be asked for without end.
func TestMovesOfALiar(t *testing.T) {
	at := ledger.MovesCursor{Store: [8]byte{1}, Next: 7}
	one := wire.MustEncode(object("1"))
	for name, c := range map[string]struct {
		parts [][]byte
		store [8]byte
		next  int64
		want  error
	}{
		"good":                   {[][]byte{one, one}, at.Store, 8, nil},
		"another store":          {[][]byte{one, one}, [8]byte{2}, 1, nil},
		"nothing more":           {nil, at.Store, 7, nil},
		"without a certificate":  {[][]byte{one}, at.Store, 8, rpc.ErrProtocol},
		"the cursor stays":       {[][]byte{one, one}, at.Store, 7, rpc.ErrProtocol},
		"the cursor goes back":   {[][]byte{one, one}, at.Store, 6, rpc.ErrProtocol},
		"what is no signed one":  {[][]byte{one, {0}}, at.Store, 8, rpc.ErrProtocol},
		"more than can be asked": {make([][]byte, 2*ledgerrpc.MaxMoves+2), at.Store, 8, rpc.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			said := frames(wire.MustEncode(struct {
				Status uint64   `cbor:"status"`
				Parts  []uint64 `cbor:"parts,omitempty"`
				Store  [8]byte  `cbor:"store"`
				Next   int64    `cbor:"next"`
			}{0, rpc.Lengths(c.parts), c.store, c.next}))
			client := ledgerrpc.NewClient(oneStream(append(said, bytes.Join(c.parts, nil)...)), ledgerrpc.Limits{})
			defer client.Close()
			_, next, err := client.Member(key(1).Public(), ident.Signed{}).Moves(t.Context(), vault, at)
			wantErr(t, err, c.want)
			if err != nil && next != at {
				t.Errorf("cursor %v after an error", next)
			}
		})
	}
}

func TestPlaced(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	shards := []ledger.ShardName{{Segment: vault, Index: 3}, {Segment: vault}}
	got, err := m.Placed(t.Context(), vault, nonce, shards)
	want, _ := f.Placed(t.Context(), vault, nonce, shards)
	if err != nil || !same(got, want) {
		t.Fatal(got, err)
	}
	for name, list := range map[string][]ledger.ShardName{
		"none":             nil,
		"too many":         make([]ledger.ShardName, ledger.MaxNames+1),
		"no segment":       {{Segment: ident.SumRaw(nil)}},
		"a negative index": {{Segment: vault, Index: -1}},
		"index 255":        {{Segment: vault, Index: 255}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Placed(t.Context(), vault, nonce, list)
			wantErr(t, err, ledgerrpc.ErrBadRequest)
		})
	}
}
