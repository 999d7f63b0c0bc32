package node

import (
	"bytes"
	"context"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// clerks are a vault's members of whom all but one are silent about charters.
type clerks struct {
	node  ident.PublicKey
	links func(from int64) [][]byte
	asked int
}

func (c *clerks) at(node ident.PublicKey) witness { return clerk{c, node} }

type clerk struct {
	*clerks
	node ident.PublicKey
}

func (c clerk) Successions(_ context.Context, _ ident.CID, from int64) ([][]byte, error) {
	if c.node != c.clerks.node {
		return nil, errNoAnswer
	}
	c.asked++ // by one member alone
	return c.links(from), nil
}

func (c clerk) Segments(context.Context, ident.CID, [16]byte, []ident.CID) (ident.Signed, error) {
	return ident.Signed{}, errNoAnswer
}

func (c clerk) Released(context.Context, ident.CID, int64, int) ([][]byte, error) {
	return nil, errNoAnswer
}

func (c clerk) Standing(context.Context, ident.CID, [16]byte, []ident.CID) (ident.Signed, error) {
	return ident.Signed{}, errNoAnswer
}

// A node that is no member finds the newest charter by itself, from any member that
// answers, and remembers it; what does not prove itself is left out.
func TestNewestCharter(t *testing.T) {
	v := ledgertest.NewVault("bench", 4)
	b := newBenchOf(t, t.TempDir(), v, 3)
	b.mustPut(b.session(), segment(t, 1000, 1), 0)
	first, owner := v.Charter, v.OwnerLane()
	var links [][]byte
	for range 3 {
		next := v.Next(func(c *ledger.Charter) { c.Trash++ })
		p, err := v.Succeed(owner, next, false).Encode()
		must(t, err)
		links = append(links, p)
	}
	who := &clerks{node: v.Members[1].Node.Public()}
	newest := &charters{volume: b.volume, witnesses: who, log: b.node.log}
	for _, c := range []struct {
		name  string
		links func(from int64) [][]byte
		want  int
	}{
		{"nobody knows more", func(int64) [][]byte { return nil }, 1},
		{"links that are none", func(int64) [][]byte { return [][]byte{{1}, nil} }, 1},
		{"a gap", func(int64) [][]byte { return links[1:] }, 1},
		{"without acks", func(int64) [][]byte { return [][]byte{withoutAcks(t, links[0])} }, 1},
		{"damaged behind the first", func(from int64) [][]byte {
			if from > 2 {
				return nil
			}
			return [][]byte{links[0], bytes.Repeat([]byte{7}, 9)}
		}, 2},
		{"one at a time", func(from int64) [][]byte { return links[from-2 : min(int(from)-1, len(links))] }, 4},
	} {
		who.links = c.links
		chain, err := newest.newest(t.Context(), v.ID())
		if err != nil || chain.Len() != c.want || chain.First().CID() != first.CID() {
			t.Errorf("%s: %d charters, %v", c.name, chain.Len(), err)
		}
	}
	asked := who.asked
	chain, err := newest.remembered(t.Context(), v.ID())
	if err != nil || chain.Current().CID() != v.Charter.CID() || who.asked != asked {
		t.Errorf("remembered: %v, %v", chain.Len(), err)
	}
	if _, err := newest.newest(t.Context(), ident.SumDagCBOR([]byte("another"))); err == nil {
		t.Error("a vault that nobody has shown has charters")
	}
}

func withoutAcks(t *testing.T, encoded []byte) []byte {
	t.Helper()
	l, err := ledger.ParseLink(encoded)
	must(t, err)
	l.Acks = nil
	p, err := l.Encode()
	must(t, err)
	return p
}
