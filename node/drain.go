package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// drainer follows how a node that drains is emptied. It moves nothing itself: the vaults'
// stewards do that, because the node announces that it drains. It ends with a receipt:
// signed words of a quorum of each vault's members that nothing is left here.
type drainer struct {
	dir       string
	keys      keyring
	volume    *volume
	charters  *charters
	at        func(node ident.PublicKey) ledgerrpc.Counter
	intent    func() intent
	refuse    func(receipts bool) // whether commits get receipts no more
	certifier *certifier
	now       clock
	log       *slog.Logger
	loop      *bg.Loop

	again time.Time // not asked before; of the loop alone

	mu       sync.Mutex
	progress *DrainStatus // nil while the node does not drain
}

// drainEvery is how often it is looked how much is left; where members are slow to say
// so, looking takes one part in so many of the time at most.
const (
	drainEvery = 2 * time.Second
	drainShare = 3
)

// DrainStatus is how far a node is that gives away what it holds.
type DrainStatus struct {
	Since   time.Time    `json:"since"`
	Of      int64        `json:"of"`     // shards that were here when this run of the node began to count
	Shards  int64        `json:"shards"` // that still count as held here
	Bytes   int64        `json:"bytes"`
	Vaults  []DrainVault `json:"vaults"`
	Voting  int          `json:"voting"`          // vaults in which the node still votes: that does not move
	Waits   string       `json:"waits,omitempty"` // nothing is left, but something may still come
	Done    bool         `json:"done"`
	Receipt string       `json:"receipt,omitempty"` // file
}

// DrainVault is one vault of which something is, or was, here.
type DrainVault struct {
	Vault  string `json:"vault"`
	Shards int64  `json:"shards"`
	Bytes  int64  `json:"bytes"`
	Empty  bool   `json:"empty"` // a quorum of the members has signed so
	Waits  string `json:"waits,omitempty"`

	id    ident.CID
	chain ledger.Chain
	words []ident.Signed
}

func (d *drainer) start() *drainer {
	d.loop = bg.NewLoop("follow the drain", drainEvery, d.run, bg.Log(d.log))
	return d
}

// status is nil while the node does not drain.
func (d *drainer) status() *DrainStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.progress
}

func (d *drainer) set(s *DrainStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = s
}

// run looks once how much is left, and writes the receipt when it is nothing.
func (d *drainer) run(ctx context.Context) error {
	since := d.intent().Draining
	before := d.status()
	switch {
	case since.IsZero():
		d.refuse(false)
		d.set(nil)
		return nil
	case before != nil && before.Done && before.Since.Equal(since), d.volume.paused() != nil, before != nil && d.now().Before(d.again):
		return nil
	}
	began := d.now()
	s, err := d.count(ctx, since, before)
	d.again = d.now().Add(drainShare * d.now().Sub(began))
	if err != nil {
		return err
	}
	if s.empty() {
		if err := d.settle(ctx, s.Vaults); err != nil {
			s.Waits = err.Error()
		} else if s, err = d.end(ctx, s); err != nil {
			return err
		}
	}
	d.set(s)
	return nil
}

// end asks once more, now that nothing new can come, and writes the receipt.
func (d *drainer) end(ctx context.Context, before *DrainStatus) (*DrainStatus, error) {
	s, err := d.count(ctx, before.Since, before)
	if err == nil && s.empty() {
		s.Done = true
		s.Receipt, err = d.finish(s)
	}
	if err != nil || !s.Done {
		d.refuse(false)
		return s, err
	}
	d.log.Info("nothing that counts is left here", "receipt", s.Receipt)
	return s, nil
}

// count asks how much is left of each vault.
func (d *drainer) count(ctx context.Context, since time.Time, before *DrainStatus) (*DrainStatus, error) {
	s := &DrainStatus{Since: since}
	vaults, err := d.vaults(ctx, before)
	if err != nil {
		return nil, err
	}
	for _, v := range vaults {
		if err := d.ask(ctx, &v); err != nil {
			v.Waits = err.Error()
		}
		s.Shards, s.Bytes = s.Shards+v.Shards, s.Bytes+v.Bytes
		if !v.chain.IsZero() { // a vault whose charter is not known here
			if _, votes := v.chain.Current().MemberByNode(d.keys.cert.Node); votes {
				s.Voting++
			}
		}
		s.Vaults = append(s.Vaults, v)
	}
	s.Of = s.Shards
	if before != nil {
		s.Of = max(s.Of, before.Of)
	}
	return s, nil
}

// empty reports whether nothing is left of any vault.
func (s *DrainStatus) empty() bool {
	return !slices.ContainsFunc(s.Vaults, func(v DrainVault) bool { return !v.Empty })
}

// vaults are those of which something is here, and those that were emptied meanwhile.
func (d *drainer) vaults(ctx context.Context, before *DrainStatus) ([]DrainVault, error) {
	all := map[ident.CID]bool{}
	if before != nil {
		for _, v := range before.Vaults {
			all[v.id] = true
		}
	}
	err := d.volume.use(ctx, func(p *parts) error {
		for vault := range p.book.vaultUsage() {
			all[vault] = true
		}
		for _, vault := range p.member.All() {
			all[vault] = true
		}
		return nil
	})
	var out []DrainVault
	for _, vault := range slices.SortedFunc(maps.Keys(all), ident.CID.Compare) {
		out = append(out, DrainVault{Vault: vault.String(), id: vault})
	}
	return out, err
}

// ask has the members of a vault say what is left. Where this node's own ledger counts
// shards here, that is answer enough.
func (d *drainer) ask(ctx context.Context, v *DrainVault) (err error) {
	if v.chain, err = d.charters.newest(ctx, v.id); err != nil {
		v.chain, _ = d.charters.remembered(ctx, v.id)
		if v.chain.IsZero() {
			return err
		}
	}
	if err := d.own(ctx, v); err != nil || v.Shards > 0 {
		return err
	}
	nonce, err := newNonce()
	if err != nil {
		return err
	}
	charter := v.chain.Current()
	type word struct {
		signed ident.Signed
		held   ledger.Held
	}
	var words []ledger.Held
	for _, a := range askAll(ctx, charter.Members, func(ctx context.Context, m ledger.Member) (word, error) {
		signed, err := d.at(m.Node).Held(ctx, v.id, nonce, d.keys.cert.Node)
		if err != nil {
			return word{}, err
		}
		held, err := ledger.VerifyHeld(signed, charter, m, d.keys.cert.Node)
		if err == nil && held.Nonce != nonce {
			err = ledger.ErrMismatch
		}
		return word{signed, held}, err
	}) {
		words = append(words, a.what.held)
		v.words = append(v.words, a.what.signed)
		v.Shards, v.Bytes = max(v.Shards, a.what.held.Shards), max(v.Bytes, a.what.held.Bytes)
	}
	if v.Empty = ledger.Emptied(charter, words); !v.Empty {
		v.Waits = fmt.Sprintf("%d of %d members answer, %d must say that nothing is left", len(words), len(charter.Members), charter.Quorum())
		return nil
	}
	v.Shards, v.Bytes = 0, 0
	return nil
}

// own counts what this node's own ledger places here, if it has one.
func (d *drainer) own(ctx context.Context, v *DrainVault) error {
	return d.volume.use(ctx, func(p *parts) error {
		if !slices.Contains(p.member.All(), v.id) {
			return nil
		}
		m, err := p.member.Custody(v.id)
		if err != nil {
			return err
		}
		held := m.Held()
		for _, number := range m.Of(d.keys.cert.Node) {
			v.Shards += held[number].Shards
			v.Bytes += held[number].Bytes
		}
		return nil
	})
}

// finish writes the receipt, and returns its file.
func (d *drainer) finish(s *DrainStatus) (string, error) {
	cert, err := wire.Encode(d.keys.signed)
	if err != nil {
		return "", err
	}
	r := DrainReceipt{
		V: 1, Node: d.keys.cert.Node.String(), Operator: d.keys.cert.Operator.String(), Network: d.keys.cert.Network, Certificate: cert,
		Since: s.Since, Time: d.now().UTC(),
	}
	for _, v := range s.Vaults {
		one, err := drained(v)
		if err != nil {
			return "", err
		}
		r.Vaults = append(r.Vaults, one)
	}
	path := filepath.Join(d.dir, receiptsName, fmt.Sprintf("drain-%s.json", s.Since.UTC().Format("20060102T150405Z")))
	return path, r.write(path)
}
