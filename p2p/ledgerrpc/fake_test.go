package ledgerrpc_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc/pipenet"
)

func key(b byte) ident.PrivateKey { return ident.NewPrivateKey([32]byte{b}) }

// object makes a signed object of some bytes that are DAG-CBOR.
func object(s string) ident.Signed {
	return key(9).Sign("charter", ident.CID{}, wire.MustEncode(struct {
		S string `cbor:"s"`
	}{s}))
}

// fake is a member that keeps what it gets, and answers with it. Its ledger says
// refuse to whatever changes it, if that is not nil.
type fake struct {
	mu       sync.Mutex
	charters []ident.Signed
	links    [][]byte
	bodies   map[ident.CID][]byte
	placed   []ledgerrpc.Placement
	evidence [][]byte
	asked    []ledgerrpc.Request
	docket
	refuse error
	forbid error // what Admit says
}

func newFake() *fake { return &fake{bodies: make(map[ident.CID][]byte)} }

func (f *fake) Admit(_ context.Context, r ledgerrpc.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r)
	return f.forbid
}

func (f *fake) Charters(_ context.Context, vault ident.CID) ([]ident.Signed, error) {
	if len(f.charters) == 0 {
		return nil, ledgerrpc.ErrUnknownVault
	}
	return f.charters, f.refuse
}

func (f *fake) Vaults(context.Context, [32]byte) ([]ident.Signed, error) { return f.charters, f.refuse }

func (f *fake) Heads(_ context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	return f.word("heads", vault.Bytes(), nonce[:]), f.refuse
}

// word is the signed echo of what came.
func (f *fake) word(parts ...any) ident.Signed {
	var b bytes.Buffer
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b.WriteString(p)
		case []byte:
			b.Write(p)
		}
	}
	return key(5).Sign("word", ident.CID{}, wire.MustEncode(struct {
		B []byte `cbor:"b"`
	}{b.Bytes()}))
}

func (f *fake) Links(_ context.Context, _ ident.CID, _ ident.PublicKey, from int64, limit int) ([][]byte, error) {
	rest := f.links[min(int(from-1), len(f.links)):]
	return rest[:min(len(rest), limit)], f.refuse
}

func (f *fake) Entry(_ context.Context, _, entry ident.CID) ([]byte, error) {
	for _, p := range f.links {
		if l, err := ledger.ParseLink(p); err == nil && (l.Entry.CID() == entry || entry == liar) {
			return p, f.refuse
		}
	}
	return nil, ledgerrpc.ErrNotFound
}

// liar is an entry for which the fake gives out another one.
var liar = ident.SumDagCBOR([]byte("liar"))

func (f *fake) Body(_ context.Context, _, body ident.CID) ([]byte, error) {
	if p := f.bodies[body]; p != nil {
		return p, f.refuse
	}
	return nil, ledgerrpc.ErrNotFound
}

func (f *fake) Accept(_ context.Context, charter ident.Signed) (ident.Signed, error) {
	f.charters = append(f.charters, charter)
	return f.word("accept", charter.Object), f.refuse
}

func (f *fake) Propose(_ context.Context, vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	sum := ident.SumDagCBOR(body)
	return f.word("vote", vault.Bytes(), proposal.Object, entry.Object, sum.Bytes()), f.refuse
}

func (f *fake) Certify(_ context.Context, vault ident.CID, cert []byte) (ident.Signed, error) {
	return f.word("ack", vault.Bytes(), cert), f.refuse
}

func (f *fake) Adopt(_ context.Context, _ ident.CID, link, body []byte) error {
	f.links = append(f.links, bytes.Clone(link))
	f.bodies[ident.SumDagCBOR(body)] = bytes.Clone(body)
	return f.refuse
}

func (f *fake) Segments(_ context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	p, err := ledgerrpc.EncodeSegments(segments)
	if err != nil {
		return ident.Signed{}, err
	}
	return f.word("segments", vault.Bytes(), nonce[:], p), f.refuse
}

func (f *fake) Key(_ context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	if vault.IsZero() {
		return f.word("key", nonce[:]), f.refuse
	}
	return f.word("key", vault.Bytes(), nonce[:]), f.refuse
}

func (f *fake) Freeze(_ context.Context, vault ident.CID, successor ident.Signed) (ident.Signed, error) {
	return f.word("freeze", vault.Bytes(), successor.Object), f.refuse
}

func (f *fake) Successions(_ context.Context, _ ident.CID, from int64) ([][]byte, error) {
	return f.links[min(int(from-2), len(f.links)):], f.refuse
}
func (f *fake) Report(_ context.Context, vault ident.CID, attempt ident.Signed) (ident.Signed, error) {
	return f.word("report", vault.Bytes(), attempt.Object), f.refuse
}

func (f *fake) Evidence(context.Context, ident.CID) ([][]byte, error) { return f.evidence, f.refuse }

func (f *fake) AddPlacement(_ context.Context, _ ident.CID, p ledgerrpc.Placement) error {
	f.placed = append(f.placed, p)
	return f.refuse
}

func (f *fake) Placements(context.Context, ident.CID, []ident.CID) ([]ledgerrpc.Placement, error) {
	return f.placed, f.refuse
}

// Moves gives out one placement at a time.
func (f *fake) Moves(_ context.Context, _ ident.CID, from ledger.MovesCursor) ([]ledgerrpc.Placement, ledger.MovesCursor, error) {
	if from.Store != fakeStore {
		from = ledger.MovesCursor{Store: fakeStore}
	}
	rest := f.placed[min(int(from.Next), len(f.placed)):]
	rest = rest[:min(len(rest), 1)]
	from.Next += int64(len(rest))
	return rest, from, f.refuse
}

var fakeStore = [8]byte{8, 7, 6, 5, 4, 3, 2, 1}

func (f *fake) Placed(_ context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error) {
	p, err := ledgerrpc.EncodeShards(shards)
	if err != nil {
		return ident.Signed{}, err
	}
	return f.word("placed", vault.Bytes(), nonce[:], p), f.refuse
}

func (f *fake) Audits(_ context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	return f.word("audits", vault.Bytes(), nonce[:], node.Bytes()), f.refuse
}

func (f *fake) Held(_ context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	return f.word("held", vault.Bytes(), nonce[:], node.Bytes()), f.refuse
}

// serve makes the fake a member of a network and returns it over the wire.
func serve(t testing.TB, f *fake, l ledgerrpc.Limits, grant ident.Signed) *ledgerrpc.Member {
	net := pipenet.New()
	host := net.Host(key(1).Public())
	ledgerrpc.Serve(host, ledgerrpc.Config{Reader: f, Voter: f, Witness: f, Placer: f, Auditor: f, Counter: f, Successor: f, Docket: f, Releaser: f, Undoer: f, Admit: f.Admit, Limits: l})
	client := ledgerrpc.NewClient(net.Host(key(2).Public()), l)
	t.Cleanup(func() {
		client.Close()
		host.Close()
	})
	return client.Member(key(1).Public(), grant)
}

var (
	vault = ident.SumDagCBOR([]byte("vault"))
	lane  = key(7).Public()
	nonce = [16]byte{1, 2, 3}
)
