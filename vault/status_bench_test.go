package vault

import (
	"context"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
)

// BenchmarkStatusLarge is a status of a vault of 1,000,000 segments with eight shards, but
// for the network: from what this machine knows to the verdict, with the holders' signed
// inventories held against the ledger. Its parts are reported in milliseconds.
func BenchmarkStatusLarge(b *testing.B) {
	c := largeMachine(b, b.TempDir())
	s := c.open()
	defer c.close(s)
	s.history = largeHistory(c.vault, 100_000)
	b.ResetTimer()
	var took [3]time.Duration
	for b.Loop() {
		begun := time.Now()
		lap := func(i int) { took[i] += time.Since(begun); begun = time.Now() }
		m, err := s.custody(b.Context())
		if err != nil || m.Len() != 1_000_000 {
			b.Fatal(m.Len(), err)
		}
		lap(0)
		rolls, err := largeRollCall(s.vault, m).call(b.Context(), m)
		if err != nil || len(rolls) != 8 {
			b.Fatal(len(rolls), err)
		}
		lap(1)
		st, loss := Status{}, m.Loss()
		for _, r := range rolls {
			st.Holders = append(st.Holders, s.holderStatus(m, r, loss, nil))
		}
		if s.weighLoss(&st, m, loss); !st.Safe() || st.Withstands != 4 {
			b.Fatalf("%+v", st.Report)
		}
		lap(2)
		s.history.unwritten = 0
	}
	for i, name := range []string{"map", "inventories", "verdict"} {
		b.ReportMetric(float64(took[i].Milliseconds())/float64(b.N), name+"-ms")
	}
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
