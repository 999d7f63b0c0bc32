package vault

import (
	"context"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
)

const largeStatus = "HOLDFAST_TEST_LARGE_STATUS"

// BenchmarkStatusLarge is a status of a vault of 1,000,000 segments with eight shards, in a
// process of its own, but for the network: from opening what this machine knows to the
// verdict, with the holders' signed inventories held against the ledger.
func BenchmarkStatusLarge(b *testing.B) {
	dir := b.TempDir()
	c := largeMachine(b, dir)
	c.knownBefore()
	for b.Loop() {
		c.inChild(b, dir, []string{"ms-open", "ms-map", "ms-holders-alone", "ms-inventories", "ms-verdict"}, largeStatus+"=1")
	}
}

// largeVerdict says the status of a vault whose holders have everything. What it takes to
// make such holders is a lap of its own.
func largeVerdict(t *testing.T, s *Session, laps *laps) {
	m, err := s.custody(t.Context())
	if err != nil || m.Len() != 1_000_000 {
		t.Fatal(m.Len(), err)
	}
	laps.lap()
	call := largeRollCall(s.vault, m)
	laps.lap()
	rolls, err := call.call(t.Context(), m)
	if err != nil || len(rolls) != 8 {
		t.Fatal(len(rolls), err)
	}
	laps.lap()
	st, loss := Status{}, m.Loss()
	for _, r := range rolls {
		st.Holders = append(st.Holders, s.holderStatus(m, r, loss, nil))
	}
	if s.weighLoss(&st, m, loss); !st.Safe() || st.Withstands != 4 {
		t.Fatalf("%+v", st.Report)
	}
	laps.lap()
}

// largeRollCall asks holders who have everything, and whose answers cost nothing but
// their signatures.
func largeRollCall(vault ident.CID, m *custody.Map) rollCall {
	expected := m.ExpectedAll()
	keys := map[ident.PublicKey]ident.PrivateKey{}
	for i := range 8 {
		k := ledgertest.Key("large node " + string(rune('a'+i)))
		keys[k.Public()] = k
	}
	d, _ := erasure.ParseDescriptor(largeDescriptor())
	return rollCall{
		vault: vault, samples: StatusSamples,
		shelf: func(node ident.PublicKey) shelf {
			return &fullShelf{vault: vault, key: keys[node], has: &expected[m.Of(node)[0]]}
		},
		certificate: func(_ context.Context, node ident.PublicKey) (ledger.NodeCertificate, error) {
			return ledger.NodeCertificate{Node: node, Vote: node}, nil
		},
		descriptors: func(_ context.Context, ids []ident.CID) (map[ident.CID]erasure.Descriptor, error) {
			out := map[ident.CID]erasure.Descriptor{}
			for _, id := range ids {
				out[id] = d
			}
			return out, nil
		},
	}
}

// fullShelf has everything.
type fullShelf struct {
	vault ident.CID
	key   ident.PrivateKey
	has   *custody.Digests
}

func (f *fullShelf) Inventory(_ context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	return ledger.SignInventory(f.key, ledger.Inventory{Vault: f.vault, Node: f.key.Public(), Nonce: nonce, Shards: f.has.Shards, Buckets: f.has.Encode()})
}

func (f *fullShelf) Has(_ context.Context, refs []shardrpc.Ref) ([]bool, error) {
	return make([]bool, len(refs)), nil
}

func (f *fullShelf) Audit(_ context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	return make([]shardrpc.Outcome, len(challenges)), nil
}
