package node

import (
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/node/audit"
)

// The certificate that this node checks its own inventory by is the one that it shows,
// which can be renewed while it runs.
func TestOwnCertificateIsTheNewest(t *testing.T) {
	b := newBench(t, 4)
	b.shelf.orders = testOrders(Config{}, b.clock.now)
	a := &auditing{node: b.node.keys.cert.Node, shelf: b.shelf}
	for serial := range int64(3) {
		renewed := b.node.keys.cert
		renewed.Serial = serial
		b.shelf.orders.shown = certificate{NodeCertificate: renewed}
		if got, err := a.Certificate(t.Context(), a.node); err != nil || got.Serial != serial {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Vaults are listed, each with its own error, if it has one, and none for others; without
// a volume there is an error, so that nobody takes it for none.
func TestVaultsToAudit(t *testing.T) {
	b := newBench(t, 4)
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	second, err := ledger.SignCharter(b.vault.Owner, b.vault.Draft("another vault"))
	must(t, err)
	_, err = b.ledgers.Accept(t.Context(), second)
	must(t, err)
	a := &auditing{volume: b.volume, node: b.node.keys.cert.Node, shelf: b.shelf}
	list := func() (vaults []audit.Vault, errs []error) {
		for v, err := range a.vaults(t.Context()) {
			if err != nil {
				errs = append(errs, err)
			} else {
				vaults = append(vaults, v)
			}
		}
		return vaults, errs
	}
	if vaults, errs := list(); len(errs) != 0 || len(vaults) != 2 || vaults[0].Members != 4 {
		t.Errorf("%+v, %v", vaults, errs)
	}
	a.node = ident.PublicKey{9}
	if vaults, errs := list(); len(errs) != 0 || len(vaults) != 0 {
		t.Errorf("of no member: %+v, %v", vaults, errs)
	}
	b.wipe()
	if vaults, errs := list(); len(errs) != 1 || len(vaults) != 0 {
		t.Errorf("without a volume: %+v, %v", vaults, errs)
	}
}
