package member

import (
	"fmt"
	"testing"

	bolt "go.etcd.io/bbolt"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// Law: an operator who certifies keys without end uses up no numbers but his own.
func TestOneWithNodesWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	id := s.vault.ID()
	cert := func(operator string, i int) ledger.NodeCertificate {
		return ledger.NodeCertificate{Operator: ledgertest.Key(operator).Public(), Node: ledgertest.Key(fmt.Sprint(operator, i)).Public(), Serial: 1}
	}
	err := s.store.db.Update(func(tx *bolt.Tx) error {
		x := index{b: tx.Bucket(id.Bytes())}
		for i := range MaxNodes + 10 {
			n, err := x.holder(cert("greedy", i))
			if err != nil || (n == nowhere) != (i >= MaxNodes) {
				return fmt.Errorf("node %d gets %d: %w", i, n, err)
			}
		}
		for i := range 3 {
			n, err := x.holder(cert("honest", i))
			again, errAgain := x.holder(cert("honest", i))
			if err != nil || errAgain != nil || n == nowhere || n != again {
				return fmt.Errorf("another's node %d gets %d, then %d: %v, %w", i, n, again, errAgain, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.store.Custody(id); err != nil || len(m.Holders()) != MaxNodes+3 {
		t.Errorf("%d holders, %v", len(m.Holders()), err)
	}
}
