package node

import (
	"context"
	"crypto/rand"
	"iter"
	"log/slog"
	"strings"
	"sync"

	"holdfast/erasure"
	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// auditing has this node audit the holders of the vaults of which it is a member: it
// gives package audit what that does not know.
type auditing struct {
	volume  *volume
	node    ident.PublicKey
	shelf   *shelf                                                   // its own
	holders *shardrpc.Client                                         // the others'
	find    func(context.Context, ident.PublicKey) (p2p.Node, error) // a node by its key
	doubt   func() error                                             // of the clock
	log     *slog.Logger
	auditor *audit.Auditor
	rounds  *bg.Loop
	probes  *bg.Loop // of suspects that were met elsewhere
}

// boardName is the file of the board on the first volume.
const boardName = "audit.db"

// auditRules are what the board judges by.
func (n *Node) auditRules() audit.Rules {
	vetting := audit.RealVetting
	if strings.HasPrefix(n.config.Network, "test-") {
		vetting = audit.TestVetting
	}
	return audit.Rules{
		Every: n.config.AuditEvery.Or(audit.DefaultEvery), RepairAfter: n.config.RepairAfter.Or(audit.DefaultRepair),
		Vetting: vetting, Now: n.now,
	}
}

// start makes the loops.
func (a *auditing) start(c Config) *auditing {
	every := c.AuditEvery.Or(audit.DefaultEvery)
	samples := c.AuditSamples
	if samples == 0 {
		samples = audit.DefaultSamples
	}
	a.auditor = &audit.Auditor{Config: audit.Config{
		Me: a.node, Samples: samples, Inventory: c.InventoryEvery.Or(audit.DefaultInventory), Patience: audit.Patience(every), Vaults: a.vaults, Peers: a, Rand: rand.Reader, Log: a.log,
	}}
	a.rounds = bg.NewLoop("audit holders", every, a.round, bg.First(every/8), bg.Jitter(every/8), bg.Log(a.log))
	a.probes = bg.NewLoop("ask suspects again", every, a.probe, bg.Jitter(every/8), bg.Log(a.log))
	return a
}

// round runs one round, unless the clock is in doubt: what is found then would have a
// time that means nothing.
func (a *auditing) round(ctx context.Context) error {
	if err := a.doubt(); err != nil {
		return nil // said by whoever watches the clock
	}
	return a.while(ctx, func(ctx context.Context, p *parts) error { return a.auditor.Round(ctx, p.board) })
}

func (a *auditing) probe(ctx context.Context) error {
	if err := a.doubt(); err != nil {
		return nil
	}
	return a.while(ctx, func(ctx context.Context, p *parts) error { return a.auditor.Probe(ctx, p.board) })
}

// while is volume.use for what takes long: it ends when the volume goes away, which is
// no error.
func (a *auditing) while(ctx context.Context, f func(ctx context.Context, p *parts) error) error {
	err := a.volume.use(ctx, func(p *parts) error {
		ctx, cancel := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() {
			select {
			case <-p.gone:
				cancel()
			case <-ctx.Done():
			}
		})
		defer watch.Wait()
		defer cancel()
		return f(ctx, p)
	})
	if a.volume.paused() != nil {
		return nil
	}
	return err
}

// vaults implements audit.Vaults.
func (a *auditing) vaults(ctx context.Context) iter.Seq2[audit.Vault, error] {
	return func(yield func(audit.Vault, error) bool) {
		on := true
		err := a.volume.use(ctx, func(p *parts) error {
			for _, id := range p.member.All() {
				if v, member, err := a.vault(p, id); on && (member || err != nil) {
					on = yield(v, err)
				}
			}
			return nil
		})
		if on && err != nil {
			yield(audit.Vault{}, err)
		}
	}
}

// vault describes a vault, if this node is a member of it by the charter in force.
func (a *auditing) vault(p *parts, id ident.CID) (v audit.Vault, member bool, err error) {
	charter, err := p.member.Charter(id)
	if err != nil {
		return v, false, err
	}
	if _, member = charter.MemberByNode(a.node); !member {
		return v, false, nil
	}
	v = audit.Vault{ID: id, Members: len(charter.Members), Shard: func(s custody.Shard) (ident.CID, int64, error) { return p.payloadOf(id, s) }}
	if v.Map, err = p.member.Custody(id); err != nil {
		return v, true, err
	}
	heads, err := p.member.LaneHeads(id)
	var all []byte
	for _, h := range heads {
		if h.Height > 0 {
			all = append(all, h.Entry.Bytes()...)
		}
	}
	v.Head = ident.SumRaw(all)
	return v, true, err
}

// payloadOf finds CID and size of a shard's payload. A segment that was released is not
// found.
func (p *parts) payloadOf(vault ident.CID, s custody.Shard) (ident.CID, int64, error) {
	in, err := p.member.Introduced(vault, s.Segment)
	if err != nil {
		return ident.CID{}, 0, err
	}
	d, err := erasure.ParseDescriptor(in.Descriptor)
	if err != nil {
		return ident.CID{}, 0, err
	}
	if in.State != ledger.SegmentCertified || s.Index >= len(d.Shards) {
		return ident.CID{}, 0, store.ErrNotFound
	}
	return d.Shards[s.Index], d.RowSize(), nil
}

// Peer implements audit.Peers. The holder is shown the vault's charters: one that has
// lost its own copy proves its shards all the same.
func (a *auditing) Peer(ctx context.Context, vault ident.CID, node ident.PublicKey) (audit.Peer, error) {
	if node == a.node {
		own, err := a.shelf.Open(ctx, a.node, vault, shardrpc.Credential{})
		if err != nil {
			return nil, err
		}
		own.(*session).local = true
		return shardrpc.Local(own), nil
	}
	var shown shardrpc.Credential
	err := a.volume.use(ctx, func(p *parts) error {
		charters, err := p.member.Charters(vault)
		if err == nil {
			shown.Charter, shown.Successors = charters[0], charters[1:min(len(charters), maxShown)]
		}
		return err
	})
	return limited{a.holders.Holder(node, vault, shown), a.shelf.throttle, classAudit, nil}, err
}

// maxShown is how many charters are shown to a holder.
const maxShown = 64

// Certificate implements audit.Peers.
func (a *auditing) Certificate(ctx context.Context, node ident.PublicKey) (ledger.NodeCertificate, error) {
	if node == a.node {
		own, _ := a.shelf.orders.showing() // it can be renewed while the node runs
		return own, nil
	}
	found, err := a.find(ctx, node)
	return found.Certificate, err
}

// holderState is what a node announces, in the words of audits.
func holderState(s p2p.State) ledger.HolderState {
	switch s {
	case p2p.Draining:
		return ledger.HolderDraining
	case p2p.Away:
		return ledger.HolderAway
	}
	return ledger.HolderOK
}

// meet takes in what other nodes say of themselves. One that was suspect and was met is
// asked again soon.
func (a *auditing) meet(ctx context.Context, nodes []p2p.Node) {
	soon := false
	_ = a.volume.use(ctx, func(p *parts) error {
		own, until := a.shelf.orders.announced()
		p.board.Announced(a.node, holderState(own), until) // it moves away what it holds itself, too
		for _, n := range nodes {
			p.board.Announced(n.Certificate.Node, holderState(n.State), n.Until)
			if !n.Seen.IsZero() && p.board.Seen(n.Certificate.Node, n.Seen) {
				soon = true
			}
		}
		return nil
	})
	if soon {
		a.probes.Trigger()
	}
}
