package p2p

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// certify makes the certificate of an operator of his own for a node key, valid
// from an hour ago to an hour from now; edit changes it before it is signed.
func certify(t testing.TB, node ident.PublicKey, edit func(*ledger.NodeCertificate)) ident.Signed {
	t.Helper()
	return certifyBy(t, newKey(t), node, edit)
}

func certifyBy(t testing.TB, operator ident.PrivateKey, node ident.PublicKey, edit func(*ledger.NodeCertificate)) ident.Signed {
	t.Helper()
	now := time.Now()
	c := ledger.NodeCertificate{
		Network: testNetwork, Operator: operator.Public(), Name: "operator of " + node.Short(), Node: node,
		Vote: newKey(t).Public(), Zone: "z", Serial: 1, Issued: now.Add(-time.Hour).UnixMilli(), Expires: now.Add(time.Hour).UnixMilli(),
	}
	if edit != nil {
		edit(&c)
	}
	s, err := ledger.SignNodeCertificate(operator, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vaultOf makes the first charter of a vault whose members are nodes.
func vaultOf(t testing.TB, nodes ...*Host) (ident.Signed, ident.CID) {
	t.Helper()
	c := ledger.Charter{
		Number: 1, Network: testNetwork, Created: time.Now().UnixMilli(), Code: ledger.Code{K: 1, N: 2},
		Cooling: 1, Recipient: "age1pq1q",
	}
	for _, h := range nodes {
		c.Members = append(c.Members, ledger.Member{
			Operator: newKey(t).Public(), Name: h.ID().Short(), Node: h.ID(), Vote: newKey(t).Public(),
		})
	}
	slices.SortFunc(c.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	s, err := ledger.SignCharter(newKey(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return s, s.CID()
}

// hintBy makes a hint about a vault, signed by a node.
func hintBy(t testing.TB, node *Host, charter ident.Signed, seq int64) ident.Signed {
	t.Helper()
	s, err := ledger.SignVaultHint(node.Key, ledger.VaultHint{
		Charter: charter, Seq: seq, Members: []ledger.HintMember{{Node: node.ID(), Addrs: node.Addrs()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(t testing.TB, s ident.Signed) []byte {
	t.Helper()
	p, err := wire.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
