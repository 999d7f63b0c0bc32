package audit

import (
	"context"
	"errors"
	"math/rand/v2"

	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// visit is what one holder is asked in one round, and what came of it. It is entered
// into the board when all holders of the vault have been asked.
type visit struct {
	auditor *Auditor
	vault   Vault
	at      place
	stock   *stock
	random  *rand.Rand

	alert       int64 // challenges besides the usual ones
	hurry       bool  // an inventory is due at once
	inventoried int64 // when there was one last, ms

	contact  Contact
	asked    bool  // a request went out
	withheld bool  // one did not, because of this node's own limits
	refused  bool  // one was refused
	failures int   // requests without an answer
	news     bool  // a shard that was drawn is not there, by the holder's own word
	spoke    said  // of what was drawn
	issued   int64 // groups that were asked for
	passed   int64
	proved   []custody.Shard
	denied   []custody.Shard // by its own word, missing or bad
	silent   []custody.Shard // not answered for
	excused  []custody.Shard // it says that it cannot tell
	lied     []custody.Shard
	lacking  []custody.Shard // in its inventory
	back     []custody.Shard // listed in its inventory, and in doubt because of an earlier one
	compared int64           // when the inventory was asked for, ms; 0 if none was compared
}

// run asks.
func (w *visit) run(ctx context.Context, b *Board) {
	w.contact = Silent
	peer, err := w.auditor.Peers.Peer(ctx, w.at.vault, w.at.node)
	if err != nil {
		w.auditor.Log.Warn("a holder cannot be asked", "node", w.at.node.String(), "vault", w.at.vault.String(), "error", err)
		return
	}
	if w.at.node != w.auditor.Me {
		w.challenge(ctx, peer, w.stock.picks)
		w.news = len(w.denied) > 0
		if w.spoke = w.saying(); !w.asked {
			w.contact = w.auditor.sign(ctx, w.at)
		}
		if w.contact != Served {
			return // one that hangs holds up the others no longer than it must
		}
		w.retest(ctx, peer, b)
	}
	w.contact = Served
	if now := ledger.Millis(b.rules.Now()); w.hurry || due(w.inventoried, now, w.auditor.Inventory, w.at.node) {
		w.inventory(ctx, peer, b, now)
	}
}

// challenge asks for groups, as many at once as one request takes.
func (w *visit) challenge(ctx context.Context, peer Peer, picks []pick) {
	for len(picks) > 0 {
		some := picks[:min(len(picks), shardrpc.MaxChallenges)]
		picks = picks[len(some):]
		w.request(ctx, peer, some)
	}
}

// request makes one request, and sorts the shards by what came of it. A shard that this
// node cannot name, because it was released meanwhile, is left out.
func (w *visit) request(ctx context.Context, peer Peer, picks []pick) {
	var challenges []shardrpc.Challenge
	var asked []pick
	for _, p := range picks {
		payload, size, err := w.vault.Shard(p.Shard)
		if err != nil {
			continue
		}
		challenges = append(challenges, shardrpc.Challenge{Ref: shardrpc.Ref(p.Shard), Group: p.group, Shard: payload, Size: size})
		asked = append(asked, p)
	}
	if len(challenges) == 0 {
		return
	}
	outcomes, err := w.audit(ctx, peer, challenges)
	if errors.Is(err, ErrNotAsked) {
		w.withheld = true
		return
	}
	w.answered(err)
	switch {
	case refusal(err):
		w.refused = true
		if w.contact == Silent { // it was busy: that need not be so for everything
			w.contact = w.auditor.sign(ctx, w.at)
		}
		return
	case err != nil:
		w.narrow(ctx, peer, asked)
		return
	}
	for i, o := range outcomes {
		if o == shardrpc.Lied {
			o = w.again(ctx, peer, challenges[i])
		}
		w.sort(o, asked[i].Shard)
	}
}

func (w *visit) audit(ctx context.Context, peer Peer, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, w.auditor.Patience)
	defer cancel()
	outcomes, err := peer.Audit(ctx, challenges)
	if !errors.Is(err, ErrNotAsked) {
		w.issued += int64(len(challenges))
	}
	return outcomes, err
}

// refusal reports whether an error is about a whole request.
//
// SPEC: a refusal in status is about the whole request and says nothing about any shard.
func refusal(err error) bool {
	return errors.Is(err, shardrpc.ErrForbidden) || errors.Is(err, shardrpc.ErrUnknownVault) ||
		errors.Is(err, shardrpc.ErrBusy) || errors.Is(err, shardrpc.ErrPaused)
}

// narrow deals with a request that failed. A holder that serves otherwise is asked for
// each half of it, so that it is found out for which shards it does not answer: else one
// such shard, that it has dropped, would look like an hour offline.
func (w *visit) narrow(ctx context.Context, peer Peer, picks []pick) {
	w.failures++
	if len(picks) > 1 && w.failures <= failureLimit && ctx.Err() == nil {
		if w.failures == 1 {
			w.contact = w.auditor.sign(ctx, w.at)
		}
		if w.contact == Served {
			half := len(picks) / 2
			w.request(ctx, peer, picks[:half])
			w.request(ctx, peer, picks[half:])
			return
		}
	}
	for _, p := range picks {
		w.silent = append(w.silent, p.Shard)
	}
}

// answered keeps the best of what the requests of a round say about the node: one that
// was answered is enough.
func (w *visit) answered(err error) {
	w.asked = true
	if c := contactOf(err); c == Served || w.contact == Silent {
		w.contact = c
	}
}

// again asks once more for a group that did not verify: an accident of one moment is no
// lie.
func (w *visit) again(ctx context.Context, peer Peer, c shardrpc.Challenge) shardrpc.Outcome {
	for range strikes - 1 {
		outcomes, err := w.audit(ctx, peer, []shardrpc.Challenge{c})
		if err != nil {
			return shardrpc.Unproved
		}
		if outcomes[0] != shardrpc.Lied {
			return outcomes[0]
		}
	}
	return shardrpc.Lied
}

func (w *visit) sort(o shardrpc.Outcome, s custody.Shard) {
	switch o {
	case shardrpc.Proved:
		w.passed++
		w.proved = append(w.proved, s)
	case shardrpc.Missing, shardrpc.Damaged:
		w.denied = append(w.denied, s)
	case shardrpc.Lied:
		w.lied = append(w.lied, s)
	default:
		w.excused = append(w.excused, s)
	}
}

// retest asks again for what is in doubt or missing: together what the holder has spoken
// about, and alone, a few in a round, what it did not answer for, so that such a shard
// spoils no other.
func (w *visit) retest(ctx context.Context, peer Peer, b *Board) {
	talked, silent := b.open(w.at, w.random)
	w.challenge(ctx, peer, w.anyGroups(talked))
	for _, p := range w.anyGroups(silent) {
		w.request(ctx, peer, []pick{p})
	}
}

// anyGroups draws one group of each shard. Shards that the ledger does not place with the
// holder any more are left out.
func (w *visit) anyGroups(shards []custody.Shard) (picks []pick) {
	for _, s := range shards {
		if !Holds(w.vault.Map, w.at.node, s) {
			continue
		}
		if _, size, err := w.vault.Shard(s); err == nil {
			picks = append(picks, pick{s, w.random.Int64N(store.Groups(size))})
		}
	}
	return picks
}

// enter brings the round's findings to the board.
func (w *visit) enter(b *Board) error {
	if w.at.node != w.auditor.Me {
		b.contact(w.at.node, w.contact)
	}
	if w.contact == Served {
		b.closer(w.at, w.alert)
	}
	errs := []error{b.Found(w.at.vault, w.at.node, append(w.proved, w.back...)...)}
	doubt := func(from source, shards []custody.Shard) {
		if len(shards) > 0 {
			_, err := b.doubted(w.at, from, shards)
			errs = append(errs, err)
		}
	}
	doubt(fromChallenge, w.denied)
	doubt(fromInventory, w.lacking)
	if w.contact == Served {
		doubt(fromSilence, w.silent)
		doubt(fromExcuse, w.excused)
	}
	lies, err := b.lost(w.at, w.lied)
	b.tell(w, lies)
	return errors.Join(append(errs, err)...)
}
