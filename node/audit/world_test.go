package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is one vault, its holders and the members who audit them, under a clock that
// only the test moves. Holders are fakes that keep a set of shards; that slices prove
// what they prove is shardrpc's to test.
type world struct {
	t       testing.TB
	seed    uint64
	random  *rand.Rand
	now     time.Time
	rules   Rules
	config  Config
	vault   Vault
	holders []*holder
	members []*member
}

type member struct {
	auditor *Auditor
	board   *Board
	skew    time.Duration // of its clock
	cut     bool          // it reaches nobody
	path    string
}

// holder is one node. What is asked of it may come from several members at once.
type holder struct {
	key, vote ident.PrivateKey
	shards    map[custody.Shard]int64 // to the size of their payloads
	world     *world

	mu     sync.Mutex
	down   error                  // what every request fails with
	lies   map[custody.Shard]int  // so many times yet it sends wrong bytes for them
	hush   map[custody.Shard]bool // it does not answer for these
	claims map[custody.Shard]bool // it lists these, and has them no more
	asked  int                    // groups
	pages  int                    // of inventory
	first  int                    // of the groups, were the first of their shard

	endless bool                   // what it lists never ends
	fails   bool                   // it fails for a reason of its own, whatever group it is asked for
	away    map[custody.Shard]bool // these are on a volume that is away
	busy    bool                   // it refuses audits, and answers otherwise
	unasked bool                   // those who ask are kept from it by limits of their own
}

// newWorld makes n holders, of which the first members audit, and segments of code n/2.
func newWorld(t testing.TB, n, members, segments int, rowSize int64) *world {
	w := &world{
		t: t, seed: rand.Uint64(), now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		rules:  Rules{Every: DefaultEvery, RepairAfter: DefaultRepair, Vetting: TestVetting},
		config: Config{Samples: DefaultSamples, Inventory: DefaultInventory, Patience: Patience(DefaultEvery)},
	}
	t.Logf("seed %d", w.seed)
	w.random = rand.New(rand.NewPCG(w.seed, 0))
	m := custody.New()
	for i := range n {
		h := &holder{
			key: key("node", i), vote: key("vote", i), world: w, shards: map[custody.Shard]int64{},
			lies: map[custody.Shard]int{}, hush: map[custody.Shard]bool{}, claims: map[custody.Shard]bool{},
		}
		m.Holder(custody.Holder{Node: h.key.Public(), Operator: key("operator", i).Public()})
		w.holders = append(w.holders, h)
	}
	w.vault = Vault{ID: ident.SumDagCBOR([]byte("vault")), Members: members, Head: ident.SumRaw(nil), Map: m, Shard: w.shard}
	for i := range segments {
		w.place(ident.SumDagCBOR(fmt.Append(nil, "segment ", i)), rowSize)
	}
	for i := range members {
		w.join(i)
	}
	return w
}

func key(kind string, i int) ident.PrivateKey {
	return ident.NewPrivateKey(ident.SumRaw(fmt.Append(nil, kind, i)).Hash())
}

// place gives one shard of a segment to every holder.
func (w *world) place(segment ident.CID, rowSize int64) {
	n := len(w.holders)
	s := custody.Segment{CID: segment, Code: erasure.Code{K: n / 2, N: n}, RowSize: rowSize, Held: w.random.Perm(n)}
	w.vault.Map.Add(s)
	for index, h := range s.Held {
		w.holders[h].shards[custody.Shard{Segment: segment, Index: index}] = rowSize
	}
}

func (w *world) shard(s custody.Shard) (ident.CID, int64, error) {
	found, ok := w.vault.Map.Find(s.Segment)
	if !ok {
		return ident.CID{}, 0, errors.New("no such segment")
	}
	return ident.SumRaw(fmt.Append(nil, s)), found.RowSize, nil
}

// join makes the auditor and the board of a member.
func (w *world) join(i int) {
	m := &member{path: filepath.Join(w.t.TempDir(), "audit.db")}
	c := w.config
	c.Me = w.holders[i].key.Public()
	c.Rand = rand.NewChaCha8([32]byte{byte(w.seed), byte(w.seed >> 8), byte(w.seed >> 16), byte(i)})
	c.Log = slog.New(slog.DiscardHandler)
	c.Vaults = func(context.Context) iter.Seq2[Vault, error] {
		return func(yield func(Vault, error) bool) { yield(w.vault, nil) }
	}
	c.Peers = peers{w, m}
	m.auditor = &Auditor{c}
	m.open(w)
	w.members = append(w.members, m)
	w.t.Cleanup(func() { must(w.t, m.board.Close()) })
}

func (m *member) open(w *world) {
	rules := w.rules
	rules.Now = func() time.Time { return w.now.Add(m.skew) }
	var err error
	m.board, err = OpenBoard(m.path, rules)
	must(w.t, err)
}

// peers are the holders as one member reaches them.
type peers struct {
	world  *world
	member *member
}

func (p peers) Peer(_ context.Context, _ ident.CID, node ident.PublicKey) (Peer, error) {
	for _, h := range p.world.holders {
		if h.key.Public() == node {
			return line{h, p.member}, nil
		}
	}
	return nil, errors.New("no such node")
}

func (p peers) Certificate(_ context.Context, node ident.PublicKey) (ledger.NodeCertificate, error) {
	for _, h := range p.world.holders {
		if h.key.Public() == node {
			return ledger.NodeCertificate{Node: node, Vote: h.vote.Public()}, nil
		}
	}
	return ledger.NodeCertificate{}, errors.New("no such node")
}

// line is a holder as a member sees it.
type line struct {
	*holder
	from *member
}

func (h line) begin() error {
	if h.from.cut && h.key.Public() != h.from.auditor.Me {
		return rpc.ErrTimeout
	}
	return h.down
}

func (h line) Audit(_ context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.begin(); err != nil {
		return nil, err
	}
	switch {
	case h.unasked:
		return nil, ErrNotAsked
	case h.busy:
		return nil, shardrpc.ErrBusy
	}
	out := make([]shardrpc.Outcome, len(challenges))
	for i, c := range challenges {
		s := custody.Shard(c.Ref)
		h.asked++
		if c.Group == 0 {
			h.first++
		}
		_, has := h.shards[s]
		switch {
		case h.fails, h.away[s]:
			out[i] = shardrpc.Unproved
		case h.hush[s]:
			return nil, rpc.ErrTimeout
		case h.lies[s] > 0:
			h.lies[s]--
			out[i] = shardrpc.Lied
		case !has:
			out[i] = shardrpc.Missing
		}
	}
	return out, nil
}

func (h line) Inventory(_ context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.begin(); err != nil {
		return ident.Signed{}, err
	}
	var d custody.Digests
	var buckets [custody.Buckets][]byte
	for _, s := range h.list() {
		b := s.Segment.Hash()[0]
		buckets[b] = append(buckets[b], shardKey(custody.Shard(s))...)
	}
	for i, rows := range buckets {
		d.Buckets[i] = custody.SumBucket(rows)
	}
	return ledger.SignInventory(h.vote, ledger.Inventory{
		Vault: h.world.vault.ID, Node: h.key.Public(), Nonce: nonce, Time: ledger.Millis(h.world.now), Buckets: d.Encode(),
	})
}

func (h line) InventoryBucket(_ context.Context, bucket byte, after shardrpc.Ref) ([]shardrpc.Ref, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pages++
	if h.endless {
		row := [ident.HashSize]byte{0: bucket, 30: byte(h.pages >> 8), 31: byte(h.pages)}
		return []shardrpc.Ref{{Segment: ident.NewCID(ident.DagCBOR, row)}}, true, h.begin()
	}
	const page = 3
	rows := slices.DeleteFunc(h.list(), func(r shardrpc.Ref) bool {
		return r.Segment.Hash()[0] != bucket || after != (shardrpc.Ref{}) && compareShards(custody.Shard(r), custody.Shard(after)) <= 0
	})
	if len(rows) > page {
		return rows[:page], true, h.begin()
	}
	return rows, false, h.begin()
}

// list is all that it has or claims to have, in order.
func (h line) list() (rows []shardrpc.Ref) {
	for s := range h.shards {
		rows = append(rows, shardrpc.Ref(s))
	}
	for s := range h.claims {
		if _, has := h.shards[s]; !has {
			rows = append(rows, shardrpc.Ref(s))
		}
	}
	slices.SortFunc(rows, func(a, b shardrpc.Ref) int { return compareShards(custody.Shard(a), custody.Shard(b)) })
	return rows
}

func (h line) Info(context.Context, ...ident.PublicKey) (shardrpc.Info, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return shardrpc.Info{}, h.begin()
}

// round moves the clock by the interval and has every member run a round.
func (w *world) round() {
	w.now = w.now.Add(w.rules.Every)
	for _, m := range w.members {
		must(w.t, m.auditor.Round(w.t.Context(), m.board))
	}
}

func (w *world) rounds(n int) {
	for range n {
		w.round()
	}
}

// pass runs rounds for a time.
func (w *world) pass(d time.Duration) { w.rounds(int(d / w.rules.Every)) }

// of returns what a member knows of a holder.
func (w *world) of(m *member, h *holder) Holder {
	w.t.Helper()
	found, ok := m.board.Holder(w.vault.ID, h.key.Public())
	if !ok {
		w.t.Fatal("the holder is not on the board")
	}
	return found
}

// missing returns what a member knows to be missing of a holder.
func (m *member) missing(w *world, h *holder) (all []custody.Shard) {
	for s := range m.board.Missing(w.vault.ID) {
		if s.Node == h.key.Public() {
			all = append(all, s.Shard)
		}
	}
	return all
}

// any returns some shards of a holder, in a fixed order.
func (h *holder) any(n int) []custody.Shard {
	var all []custody.Shard
	for s := range h.shards {
		all = append(all, s)
	}
	slices.SortFunc(all, compareShards)
	return all[:n]
}

// drop removes shards, in silence: the inventory lists them still.
func (h *holder) drop(shards ...custody.Shard) {
	for _, s := range shards {
		delete(h.shards, s)
		h.claims[s] = true
	}
}

// lose removes shards, and lists them no more.
func (h *holder) lose(shards ...custody.Shard) {
	for _, s := range shards {
		delete(h.shards, s)
	}
}
