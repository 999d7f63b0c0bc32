package node

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// Standing is what the members of one vault say about this node: the median of their
// audit reports. The operator is told why in the words of one of them.
type Standing struct {
	Vault   string    `json:"vault"`
	State   string    `json:"state"`
	Weight  int64     `json:"weight"` // of 1000
	Why     string    `json:"why,omitempty"`
	Shards  int64     `json:"shards"` // that the vault's ledger places here
	Missing int64     `json:"missing"`
	Proof   time.Time `json:"proof,omitzero"` // when this node last proved what it holds; zero for never
	Members int       `json:"members"`        // who say so
	Asked   time.Time `json:"asked"`
}

// ownStanding asks the members of the vaults of which something is here what they have
// found of this node, now and then.
type ownStanding struct {
	volume   *volume
	node     ident.PublicKey
	charters *charters
	at       func(node ident.PublicKey) ledgerrpc.Auditor
	now      clock
	log      *slog.Logger
	loop     *bg.Loop

	mu    sync.Mutex
	known []Standing
}

// start makes the loop. Members are first asked soon after the node has joined them: its
// operator looks then.
func (o *ownStanding) start(every time.Duration) *ownStanding {
	o.loop = bg.NewLoop("ask for own standing", every, o.run, bg.First(every/60), bg.Jitter(every/8), bg.Log(o.log))
	return o
}

// standings returns what was last said, sorted by vault.
func (o *ownStanding) standings() []Standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Standing{}, o.known...)
}

// run asks about every vault. What is not answered is kept as it was known, with the
// time when that was asked for.
func (o *ownStanding) run(ctx context.Context) error {
	var vaults []ident.CID
	err := o.volume.use(ctx, func(p *parts) error {
		for vault := range p.book.vaultUsage() {
			vaults = append(vaults, vault)
		}
		return nil
	})
	if err != nil {
		return ignorePaused(err)
	}
	old := map[string]Standing{}
	for _, s := range o.standings() {
		old[s.Vault] = s
	}
	var all []Standing
	for _, vault := range vaults {
		s, ok := o.ask(ctx, vault)
		if !ok {
			s, ok = old[vault.String()]
		}
		if ok {
			all = append(all, s)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return cmp.Compare(a.Vault, b.Vault) })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = all
	return nil
}

// ask asks the members of one vault; false if none knows this node.
func (o *ownStanding) ask(ctx context.Context, vault ident.CID) (Standing, bool) {
	chain, err := o.charters.remembered(ctx, vault)
	if err != nil {
		return Standing{}, false
	}
	nonce, err := newNonce()
	if err != nil {
		return Standing{}, false
	}
	charter := chain.Current()
	var reports []ledger.AuditReport
	for _, a := range askAll(ctx, charter.Members, func(ctx context.Context, m ledger.Member) (ledger.AuditReport, error) {
		signed, err := o.at(m.Node).Audits(ctx, vault, nonce, o.node)
		if err != nil {
			return ledger.AuditReport{}, err
		}
		return ledger.VerifyAuditReport(signed, charter, m, nonce)
	}) {
		if a.member.Node != o.node { // what a node says of itself counts for nothing
			reports = append(reports, a.what)
		}
	}
	h, members := ledger.Judged(reports, o.node)
	s := Standing{
		Vault: vault.String(), State: string(h.State), Weight: h.Weight, Why: h.Why, Shards: h.Shards, Missing: h.Missing,
		Members: members, Asked: o.now(),
	}
	if h.Proof > 0 {
		s.Proof = ledger.Time(h.Proof)
	}
	return s, members > 0
}
