package node

import (
	"context"
	"maps"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/placement"
)

// stopping answers whether this node can be stopped, from what it knows now: who answers
// a hello, what the audits have found, and where the ledgers say that shards are.
type stopping struct {
	volume   *volume
	node     ident.PublicKey
	charters *charters
	at       func(node ident.PublicKey) ledgerrpc.Auditor
	nodes    func(ctx context.Context) ([]p2p.Node, error)
	now      clock
}

// judge asks about every vault of which something is here. A node whose volume is not
// there serves nothing: nothing depends on it now.
func (s *stopping) judge(ctx context.Context) (StopReport, error) {
	out := StopReport{Can: true, Vaults: []StopVault{}}
	if s.volume.paused() != nil {
		return out, nil
	}
	nodes, err := s.nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return out, err
	}
	views, others, err := s.known(ctx, s.answering(nodes))
	if err != nil {
		return out, err
	}
	for _, vault := range others {
		v, err := s.ask(ctx, vault, s.answering(nodes))
		if err != nil {
			out.Can = false
			out.Vaults = append(out.Vaults, StopVault{Vault: vault.String(), Why: "its members do not answer: " + err.Error()})
			continue
		}
		views = append(views, v)
	}
	for _, v := range views {
		one := v.judge()
		out.Can = out.Can && one.Why == ""
		out.Vaults = append(out.Vaults, one)
	}
	return out, nil
}

// answering returns the nodes that answer now and have not said that they go away.
func (s *stopping) answering(nodes []p2p.Node) map[ident.PublicKey]bool {
	up := make(map[ident.PublicKey]bool, len(nodes))
	for _, n := range nodes {
		up[n.Certificate.Node] = n.StateAt(s.now()) != p2p.Away
	}
	return up
}

// known describes the vaults of which this node is a member, and names the others.
func (s *stopping) known(ctx context.Context, answering map[ident.PublicKey]bool) (views []stopView, others []ident.CID, err error) {
	err = s.volume.use(ctx, func(p *parts) error {
		elsewhere := p.book.vaultUsage()
		for _, vault := range p.member.All() {
			delete(elsewhere, vault)
			charter, err := p.member.Charter(vault)
			if err != nil {
				return err
			}
			v := stopView{charter: charter, me: s.node, missing: map[custody.Shard]bool{}, up: serving(p.board, vault, answering)}
			if v.custody, err = p.member.Custody(vault); err != nil {
				return err
			}
			for shard := range p.board.Missing(vault) {
				v.missing[shard.Shard] = true
			}
			views = append(views, v)
		}
		others = slices.SortedFunc(maps.Keys(elsewhere), ident.CID.Compare)
		return nil
	})
	return views, others, err
}

// serving reports whether a node answers and audits have nothing against it.
func serving(board *audit.Board, vault ident.CID, answering map[ident.PublicKey]bool) func(ident.PublicKey) bool {
	found := map[ident.PublicKey]ledger.HolderState{}
	for _, h := range board.Holders(vault) {
		found[h.Node] = h.State
	}
	return func(node ident.PublicKey) bool {
		state, audited := found[node]
		return answering[node] && (!audited || servesAs(state))
	}
}

func servesAs(s ledger.HolderState) bool { return s == ledger.HolderOK || s == ledger.HolderDraining }

// ask describes a vault of which this node is no member, by its members' audit reports.
func (s *stopping) ask(ctx context.Context, vault ident.CID, answering map[ident.PublicKey]bool) (stopView, error) {
	v := stopView{me: s.node}
	chain, err := s.charters.newest(ctx, vault)
	if err != nil {
		return v, err
	}
	v.charter = chain.Current()
	v.most = placement.Share(v.charter.Coded(), v.charter.Operators())
	nonce, err := newNonce()
	if err != nil {
		return v, err
	}
	var reports []ledger.AuditReport
	for _, a := range askAll(ctx, v.charter.Members, func(ctx context.Context, m ledger.Member) (ledger.AuditReport, error) {
		signed, err := s.at(m.Node).Audits(ctx, vault, nonce, ident.PublicKey{})
		if err != nil {
			return ledger.AuditReport{}, err
		}
		return ledger.VerifyAuditReport(signed, v.charter, m, nonce)
	}) {
		reports = append(reports, a.what)
	}
	if len(reports) < ledger.Unhidden(len(v.charter.Members)) {
		return v, errSilent
	}
	v.holders = reportedHolders(reports)
	v.up = func(node ident.PublicKey) bool {
		h, members := ledger.Judged(reports, node)
		return answering[node] && (members == 0 || servesAs(h.State) && h.Missing == 0)
	}
	return v, nil
}

// reportedHolders are the nodes with which some member's ledger places shards.
func reportedHolders(reports []ledger.AuditReport) []ident.PublicKey {
	all := map[ident.PublicKey]bool{}
	for _, r := range reports {
		for _, h := range r.Holders {
			if h.Shards > 0 {
				all[h.Node] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), ident.PublicKey.Compare)
}
