package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// Config is how an auditor works.
type Config struct {
	Me        ident.PublicKey // this node
	Samples   int             // groups a day, of each holder and vault, by all members together
	Inventory time.Duration   // between two inventories of a holder
	Patience  time.Duration   // with one request

	Vaults Vaults
	Peers  Peers
	Rand   io.Reader // of nonces, which nobody must guess: crypto/rand outside tests
	Log    *slog.Logger
}

// Auditor asks the holders of vaults in rounds, and enters what it finds into a board.
type Auditor struct{ Config }

// limits of one round.
const (
	askAtOnce    = 8                      // holders
	retestLimit  = shardrpc.MaxChallenges // shards in doubt, asked for again together
	silentLimit  = 4                      // shards for which a holder did not answer, asked for one by one
	failureLimit = 16                     // requests without an answer, after which no halves are asked for
	strikes      = 3                      // wrong answers for one group, one after another
)

// Round asks every holder of every vault once. What cannot be reached or does not
// answer is entered, and is no error; what this node's own disk says is one.
func (a *Auditor) Round(ctx context.Context, b *Board) error {
	var errs []error
	all, audited := true, map[ident.CID]bool{}
	for v, err := range a.Vaults(ctx) {
		if err == nil {
			audited[v.ID] = true
			err = a.vault(ctx, b, v)
		} else {
			all = false // it may be any
		}
		errs = append(errs, err)
	}
	if all && ctx.Err() == nil {
		errs = append(errs, b.keep(audited))
	}
	return errors.Join(append(errs, b.Flush())...)
}

// vault audits the holders of one vault.
func (a *Auditor) vault(ctx context.Context, b *Board, v Vault) error {
	nodes := stocks(v.Map)
	visits, err := a.plan(b, v, nodes)
	if err != nil {
		return err
	}
	find(v.Map, nodes)
	answered := a.ask(ctx, b, visits)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	others := 0
	for _, w := range visits {
		if w.at.node != a.Me {
			others++
		}
	}
	// Where none of several answers it is more likely that this node is cut off: that
	// says nothing about anybody.
	if others > 1 && answered == 0 {
		a.Log.Warn("no holder answers: this node may be cut off", "vault", v.ID.String(), "holders", others)
		return nil
	}
	var errs []error
	for _, w := range visits {
		errs = append(errs, w.enter(b))
	}
	return errors.Join(append(errs, b.forgetMoved(v))...)
}

// plan decides what each holder is asked.
func (a *Auditor) plan(b *Board, v Vault, nodes map[ident.PublicKey]*stock) ([]*visit, error) {
	var nonce [32]byte
	if _, err := io.ReadFull(a.Rand, nonce[:]); err != nil {
		return nil, fmt.Errorf("draw audits: %w", err)
	}
	var visits []*visit
	operators := map[ident.PublicKey]ident.PublicKey{}
	for _, h := range v.Map.Holders() {
		operators[h.Node] = h.Operator
	}
	for node, k := range nodes {
		w := b.begin(place{v.ID, node}, operators[node], k)
		if k.shards == 0 {
			continue
		}
		w.auditor, w.vault, w.stock, w.random = a, v, k, randomOf(seed(v.Head, nonce, node))
		if node != a.Me {
			k.draw(draw(share(a.Samples, v.Members, b.rules.Every), w.random)+int(w.alert), w.random)
		}
		visits = append(visits, w)
	}
	return visits, nil
}

// ask visits holders, several at once, and returns how many others have answered.
func (a *Auditor) ask(ctx context.Context, b *Board, visits []*visit) (answered int) {
	var all sync.WaitGroup
	free := make(chan struct{}, askAtOnce)
	for _, w := range visits {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			w.run(ctx, b)
		})
	}
	all.Wait()
	for _, w := range visits {
		if w.at.node != a.Me && w.contact != Silent {
			answered++
		}
	}
	return answered
}

// Probe asks the suspects of all vaults whether they serve again, and nothing else.
func (a *Auditor) Probe(ctx context.Context, b *Board) error {
	for _, at := range b.suspects() {
		if c := a.sign(ctx, at); c != Silent {
			b.contact(at.node, c)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return b.Flush()
}

// sign asks a holder for a sign of life.
func (a *Auditor) sign(ctx context.Context, at place) Contact {
	ctx, cancel := context.WithTimeout(ctx, a.Patience)
	defer cancel()
	peer, err := a.Peers.Peer(ctx, at.vault, at.node)
	if err == nil {
		_, err = peer.Info(ctx)
	}
	return contactOf(err)
}

// contactOf says what an error means for how a node is reached. A refusal is an answer
// of a node that serves, but for those that say that it does not serve now.
func contactOf(err error) Contact {
	switch {
	case err == nil, errors.Is(err, shardrpc.ErrForbidden), errors.Is(err, shardrpc.ErrUnknownVault):
		return Served
	case errors.Is(err, shardrpc.ErrPaused):
		return Paused
	}
	return Silent
}

// begin brings the board up to date with what the ledger places with a holder.
func (b *Board) begin(at place, operator ident.PublicKey, k *stock) *visit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k.shards == 0 && b.holders[at] == nil {
		return &visit{}
	}
	b.reach(at.node, operator)
	v := b.record(at)
	v.Shards = k.shards
	return &visit{at: at, alert: min(v.Alert, alertShare), hurry: v.Hurry, inventoried: v.Inventory}
}

// closer says that so many challenges were asked besides the usual ones.
func (b *Board) closer(at place, alert int64) {
	if alert == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.record(at)
	v.Alert = max(v.Alert-alert, 0)
}

// contact enters how a node took a question.
func (b *Board) contact(node ident.PublicKey, c Contact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reach(node, ident.PublicKey{}).heard(c, b.rules.Now(), 3*b.rules.Every)
}

// suspects returns the nodes that did not answer, each with one of its vaults.
func (b *Board) suspects() (all []place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[ident.PublicKey]bool{}
	for at := range b.holders {
		if r := b.nodes[at.node]; r != nil && r.Last == Silent && !seen[at.node] {
			seen[at.node] = true
			all = append(all, at)
		}
	}
	return all
}

// forgetMoved forgets what is missing, or in doubt, of shards that the ledger does not
// place with that holder any more.
func (b *Board) forgetMoved(v Vault) error {
	moved := map[ident.PublicKey][]custody.Shard{}
	for _, bucket := range [][]byte{bucketMissing, bucketDoubts} {
		for e := range b.each(bucket, v.ID.Bytes()) {
			if !Holds(v.Map, e.at.node, e.shard) {
				moved[e.at.node] = append(moved[e.at.node], e.shard)
			}
		}
	}
	var errs []error
	for node, shards := range moved {
		errs = append(errs, b.Found(v.ID, node, shards...))
	}
	return errors.Join(errs...)
}

// Holds reports whether the ledger places a shard with a node.
func Holds(m *custody.Map, node ident.PublicKey, s custody.Shard) bool {
	found, ok := m.Find(s.Segment)
	return ok && s.Index < len(found.Held) && found.Held[s.Index] != custody.Nowhere && m.Holders()[found.Held[s.Index]].Node == node
}
