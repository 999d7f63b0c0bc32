package vault

import (
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/placement"
)

// zoned makes candidates, zones[i] of them in zone "z<i>".
func zoned(zones ...int) (out []placement.Candidate) {
	for zone, n := range zones {
		for range n {
			name := string(rune('a' + len(out)))
			out = append(out, placement.Candidate{
				Node: ledgertest.Key("law node " + name).Public(), Operator: ledgertest.Key("law operator " + name).Public(),
				Zone: "z" + string(rune('0'+zone)), Space: 1, Weight: placement.Full,
			})
		}
	}
	return out
}

// Who holds too much is said once, at its worst; what keeps to the law is not said.
func TestBreachesOfACommit(t *testing.T) {
	code := erasure.Code{K: 2, N: 4}
	nodes := zoned(3, 1)
	at := func(all ...int) (out []ident.PublicKey) {
		for _, i := range all {
			out = append(out, nodes[i].Node)
		}
		return out
	}
	got := breaches(code, nodes, [][]ident.PublicKey{at(0, 1, 3, 3), at(0, 1, 2, 3), at(0, 1, 2, 2)})
	if want := []string{`zone "z0" holds 4 shards of a segment, of which 2 may be lost`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	nowhere := zoned(3, 1)
	for i := range nowhere {
		nowhere[i].Zone = ""
	}
	if got := breaches(code, nowhere, [][]ident.PublicKey{at(0, 1, 2, 3)}); len(got) != 0 {
		t.Errorf("nodes of no zone are in none: %q", got)
	}
	stranger := ledgertest.Key("nobody's").Public()
	if got := breaches(code, nodes, [][]ident.PublicKey{{stranger, {}, stranger, stranger}}); len(got) != 0 {
		t.Errorf("who is not known breaks nothing: %q", got)
	}
	if got := foreseen(code, [32]byte{1}, nodes); len(got) != 1 {
		t.Errorf("a vault on three operators of one zone and one of another: %q", got)
	}
	if got := foreseen(code, [32]byte{1}, zoned(2, 2)); len(got) != 0 {
		t.Errorf("a vault on two and two operators: %q", got)
	}
}
