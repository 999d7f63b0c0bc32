package node

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
)

// stopWorld is a vault coded 3/6 on 7 members, each of which holds one shard of the
// segments that are given: f is 2, so 5 shards must be left.
type stopWorld struct {
	view stopView
	down map[ident.PublicKey]bool
	node func(i int) ident.PublicKey
}

func newStopWorld(t *testing.T, segments ...[]int) *stopWorld {
	t.Helper()
	v := ledgertest.NewVault(t.Name(), 7)
	w := &stopWorld{down: map[ident.PublicKey]bool{}, node: func(i int) ident.PublicKey { return v.Charter.Members[i].Node }}
	m := custody.New()
	for i := range v.Charter.Members {
		o := v.Charter.Members[i]
		if got := m.Holder(custody.Holder{Node: o.Node, Operator: o.Operator, Zone: o.Zone}); got != i {
			t.Fatal(got)
		}
	}
	for i, held := range segments {
		m.Add(custody.Segment{CID: stopSegment(i), Code: erasure.Code{K: 3, N: 6}, RowSize: 1 << 20, Held: held})
	}
	w.view = stopView{charter: v.Charter, me: w.node(0), custody: m, up: func(n ident.PublicKey) bool { return !w.down[n] }, missing: map[custody.Shard]bool{}}
	return w
}

func stopSegment(i int) ident.CID { return ident.SumDagCBOR([]byte(fmt.Sprint("segment ", i))) }

// SPEC: not if stopping it would leave a segment with fewer than k+max(f,1) shards, or a
// vault without q members that are up.
func TestCanStop(t *testing.T) {
	whole, elsewhere := []int{0, 1, 2, 3, 4, 5}, []int{1, 2, 3, 4, 5, 6}
	for name, c := range map[string]struct {
		segments [][]int
		down     []int
		missing  []custody.Shard
		why      string
		short    int
	}{
		"all are there":                       {[][]int{whole, whole}, nil, nil, "", 0},
		"one other is down":                   {[][]int{whole, whole}, []int{3}, nil, "2 segments would have fewer", 2},
		"one is down that holds nothing":      {[][]int{whole}, []int{6}, nil, "", 0},
		"of what is not here":                 {[][]int{elsewhere}, []int{3}, nil, "", 0},
		"one segment of two":                  {[][]int{whole, elsewhere}, []int{3}, nil, "1 segments", 1},
		"a shard that audits miss":            {[][]int{whole}, nil, []custody.Shard{{Segment: stopSegment(0), Index: 4}}, "1 segments", 1},
		"the shard here is missing":           {[][]int{whole}, []int{3}, []custody.Shard{{Segment: stopSegment(0), Index: 0}}, "", 0},
		"a shard that has no holder":          {[][]int{{0, 1, 2, 3, 4, custody.Nowhere}}, nil, nil, "1 segments", 1},
		"too few members, none of the shards": {[][]int{elsewhere}, []int{1, 2, 6}, nil, "3 members would be up, and it takes 5", 0},
		"an empty vault":                      {nil, nil, nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStopWorld(t, c.segments...)
			for _, i := range c.down {
				w.down[w.node(i)] = true
			}
			for _, s := range c.missing {
				w.view.missing[s] = true
			}
			got := w.view.judge()
			if (got.Why == "") != (c.why == "") || !strings.Contains(got.Why, c.why) || got.Short != c.short {
				t.Errorf("%+v; want %q", got, c.why)
			}
		})
	}
}

// Where the node is no member, whoever does not serve counts as if it held its whole share
// of every segment, and the answer says what it does not know.
func TestCanStopWhereNoMember(t *testing.T) {
	for most := 1; most <= 2; most++ {
		w := newStopWorld(t)
		w.view.custody, w.view.me, w.view.most = nil, ledgertest.Key("elsewhere").Public(), most
		for i := range 6 {
			w.view.holders = append(w.view.holders, w.node(i))
		}
		code := w.view.charter.Coded()
		for down := range 4 {
			got, left := w.view.judge(), code.N-most*(down+1)
			if (got.Why == "") != (left >= code.K+w.view.charter.Away()) || got.Worst != left || got.Unknown == "" {
				t.Errorf("%d down of %v, %d shards each: %+v", down, code, most, got)
			}
			w.down[w.node(down)] = true
		}
	}
}

// A receipt shows that a quorum of each vault's members say that nothing is left.
func TestDrainReceipt(t *testing.T) {
	v := ledgertest.NewVault("drain", 4)
	node := v.Members[0].Node.Public()
	chain, err := ledger.NewChain(v.Signed)
	must(t, err)
	word := func(i int, shards int64) ident.Signed {
		m := v.Members[i]
		s, err := ledger.SignHeld(m.Vote, ledger.Held{
			Vault: v.ID(), Charter: v.Charter.CID(), Operator: m.Operator.Public(), Node: node, Clock: 1, Shards: shards, Bytes: shards,
		})
		must(t, err)
		return s
	}
	signed, err := ledger.SignNodeCertificate(v.Members[0].Operator, ledger.NodeCertificate{
		Network: ledgertest.Network, Name: "one", Zone: "z", Node: node, Vote: v.Members[0].Vote.Public(), Issued: 1, Expires: 2,
	})
	must(t, err)
	cert, err := ledger.VerifyNodeCertificate(signed)
	must(t, err)
	receipt := func(words ...ident.Signed) string {
		d := &drainer{dir: t.TempDir(), now: ledgertest.Start, keys: keyring{cert: cert, signed: signed}}
		path, err := d.finish(&DrainStatus{Since: ledgertest.Start(), Vaults: []DrainVault{{Vault: v.ID().String(), chain: chain, words: words}}})
		must(t, err)
		return path
	}
	r, err := VerifyDrain(receipt(word(1, 0), word(2, 0), word(3, 0)))
	if err != nil || len(r.Vaults) != 1 || r.Node != node.String() || !r.Time.Equal(ledger.Time(1)) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, field := range []string{`"operator": "`, `"network": "`, `"node": "`} {
		path := receipt(word(1, 0), word(2, 0), word(3, 0))
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, bytes.Replace(text, []byte(field), []byte(field+"x"), 1), 0o600))
		if _, err := VerifyDrain(path); err == nil {
			t.Errorf("another %s is taken", field)
		}
	}
	forged := word(3, 0)
	forged.Signature[0] ^= 1
	for name, path := range map[string]string{
		"two of four":        receipt(word(1, 0), word(2, 0)),
		"one of them twice":  receipt(word(1, 0), word(2, 0), word(2, 0)),
		"one counts a shard": receipt(word(1, 0), word(2, 0), word(3, 1)),
		"forged":             receipt(word(1, 0), word(2, 0), forged),
	} {
		if _, err := VerifyDrain(path); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
