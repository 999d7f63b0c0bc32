package node

import (
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

var later shardrpc.Nonce // the zero one

// stewardSession is a member's node, in a vault whose members say these states of every
// segment.
func (b *bench) stewardSession(states ...ledger.State) *session {
	b.t.Helper()
	b.shelf.certifier.witnesses = &fakeWitnesses{vault: b.vault, says: b.say(states...)}
	s, err := b.open(b.vault.Members[2].Node.Public(), shardrpc.Credential{Charter: b.vault.Signed})
	must(b.t, err)
	return s
}

// SPEC: only if the segment is certified: f+1 members say so. There are 4: f = 1.
func TestStewardsPutWhatIsCertified(t *testing.T) {
	for name, c := range map[string]struct {
		says []ledger.State
		want error
	}{
		"two say so":                  {[]ledger.State{certified, unknown, unknown, certified}, nil},
		"two say so, nobody else":     {[]ledger.State{certified, certified}, nil},
		"one says so, who may lie":    {[]ledger.State{certified, unknown, unknown, unknown}, shardrpc.ErrForbidden},
		"locked only":                 {[]ledger.State{locked, locked, locked, locked}, shardrpc.ErrForbidden},
		"all know nothing":            {[]ledger.State{unknown, unknown, unknown, unknown}, shardrpc.ErrForbidden},
		"nobody answers":              {nil, rpc.ErrBusy},
		"one says so, the others not": {[]ledger.State{certified}, shardrpc.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 4)
			s, g := b.stewardSession(c.says...), segment(t, 40_000, 1)
			if err := put(t.Context(), s, later, g, 1); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("put: %v, want %v", err, c.want)
			}
			if b.has(g.Key(b.vault.ID(), 1)) != (c.want == nil) {
				t.Error("what was refused is kept, or what was put is not")
			}
			if _, err := s.Receipt(t.Context(), later, []shardrpc.Ref{ref(g, 1)}); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("receipt: %v, want %v", err, c.want)
			}
		})
	}
}

// A member's own ledger is enough; and what members have said once is remembered.
func TestHowAHolderKnowsWhatIsCertified(t *testing.T) {
	s := newStage(t)
	steward := s.bench.stewardSession() // nobody answers
	if err := put(t.Context(), steward, later, s.certified, 2); err != nil {
		t.Error("what this node's ledger has:", err)
	}
	if err := put(t.Context(), steward, later, s.loose, 2); !errors.Is(err, rpc.ErrBusy) {
		t.Error("what no entry names:", err)
	}
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	must(t, put(t.Context(), b.stewardSession(certified, certified), later, g, 0))
	must(t, put(t.Context(), b.stewardSession(), later, g, 1))
}

// What a steward puts is the vault's and no device's, and stays: it is certified. Its
// receipt is one of a later placement, under the charter in force.
func TestWhatAStewardPuts(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	s := b.stewardSession(certified, certified, certified)
	must(t, put(t.Context(), s, later, g, 1))
	r, known := b.record(g.Key(b.vault.ID(), 1))
	if !known || !r.Device.IsZero() || !r.Certified || r.Size != int64(len(g.Rows[1])) {
		t.Errorf("record %+v", r)
	}
	got, err := receipt(t, b, s, later, ref(g, 1))
	must(t, err)
	if !got.Later() || got.Charter != b.vault.Charter.CID() || got.Device != s.peer || len(got.Shards) != 1 || got.Shards[0].Shard != g.Parsed.Shards[1] {
		t.Errorf("receipt %+v", got)
	}
	must(t, got.CheckLater(b.vault.Charter, b.clock.now()))
	if info, err := s.Info(t.Context()); err != nil || info.Used != int64(len(g.Rows[1])) || info.Quota != 0 {
		t.Errorf("info %+v, %v", info, err)
	}
}

// SPEC: vault quota holds; operators' limits hold. What is put again takes nothing.
func TestStewardsAreBoundByTheVaultsQuota(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 400_000, 1)
	b.shelf.orders = testOrders(Config{VaultQuota: int64(len(g.Rows[0]))}, b.clock.now)
	s := b.stewardSession(certified, certified)
	for range 2 {
		must(t, put(t.Context(), s, later, g, 0))
	}
	if err := put(t.Context(), s, later, g, 1); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("above the vault's quota:", err)
	}
}

// A steward may have a receipt for what a device has put, which stays charged with it.
func TestStewardsCompleteADevicesCommit(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	device := b.session()
	b.mustPut(device, g, 3)
	s := b.stewardSession(certified, certified)
	must(t, put(t.Context(), s, later, g, 3))
	if _, err := receipt(t, b, s, later, ref(g, 3)); err != nil {
		t.Error(err)
	}
	if r, _ := b.record(g.Key(b.vault.ID(), 3)); r.Device != device.peer || r.Nonce != nonce {
		t.Errorf("record %+v", r)
	}
	if _, err := receipt(t, b, s, later, ref(g, 2)); !errors.Is(err, shardrpc.ErrNotFound) {
		t.Error("a receipt for what is not there:", err)
	}
}

// Members make no commits; who is a member no more is no steward; a node of an operator
// whom the charter admits, and who is no member, never was one.
func TestWhoIsNoSteward(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	s := b.stewardSession(certified, certified, certified, certified)
	if err := put(t.Context(), s, nonce, g, 0); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Error("with a commit's nonce:", err)
	}
	if _, err := s.Receipt(t.Context(), nonce, []shardrpc.Ref{ref(g, 0)}); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Error("a receipt with a commit's nonce:", err)
	}
	if _, err := b.open(ledgertest.Key("a node").Public(), shardrpc.Credential{Charter: b.vault.Signed}); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Error("a stranger:", err)
	}
}

// A member that a charter in force has replaced is judged again with every request.
func TestReplacedMembersAreNoStewards(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	s := b.stewardSession(certified, certified, certified, certified)
	must(t, put(t.Context(), s, later, g, 0))
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	if err := put(t.Context(), s, later, g, 0); err != nil {
		t.Error("a member of the charter in force:", err)
	}
	s.peer = ident.PublicKey{1}
	if err := put(t.Context(), s, later, g, 1); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Error("no member of the charter in force:", err)
	}
}

// A steward's put is never provisional: members say that its segment is certified, so
// that it stays until it is moved or released.
func TestStewardsPutsAreKept(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 40_000, 1)
	must(t, put(t.Context(), b.stewardSession(certified, certified, certified, certified), later, g, 1))
	b.clock.advance(bookHold + time.Hour)
	must(t, b.releaser(b.shelf.certifier.witnesses).sweep(t.Context()))
	if !b.has(g.Key(b.vault.ID(), 1)) {
		t.Error("it is gone")
	}
}
