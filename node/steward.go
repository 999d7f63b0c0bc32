package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/node/audit"
	"holdfast/node/repair"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// steward repairs the segments of the vaults of which this node is a member: it looks
// who holds what and who is gone, has repair.Plan say what is this node's to do, and the
// crew do it. What it remembers is only to be patient: all of it can be lost.
type steward struct {
	keys     keyring
	volume   *volume
	shelf    *shelf                            // this node's own
	ledgers  *ledgers                          // and its ledgers
	client   *ledgerrpc.Client                 // of other members
	witness  func(node ident.PublicKey) headed // another member
	holders  *shardrpc.Client                  // of other holders
	throttle *throttle                         // of what comes and goes
	around   vicinity                          // who is there
	rules    repairRules
	stamp    stamp
	log      *slog.Logger
	crew     *repair.Crew
	loop     *bg.Loop

	did deeds

	mu     sync.Mutex
	waits  map[ident.CID]*waits    // by vault
	given  map[segmentOf]time.Time // segments that were given up, until then
	struck map[target]time.Time    // new holders that failed, until then
	queues map[ident.CID]*queue    // by vault
}

// target is a new holder in one vault: what it refuses there, for want of quota or of a
// charter, it may take in another.
type target struct {
	vault ident.CID
	node  ident.PublicKey
}

// repairRules is what node.toml says about repair.
type repairRules struct {
	after time.Duration // how long a silent holder is waited for
	turn  time.Duration // how long a steward leaves a segment to one before it
	rate  int64         // bytes in a second
}

// Defaults of repair.
const (
	DefaultRepairRate = 64 << 20 // bytes in a second, read and written
	DefaultRepairTurn = 10 * time.Minute
)

// repairRules returns what is configured, or its defaults.
func (c Config) repairRules() repairRules {
	rate := c.RepairRate
	if rate == 0 {
		rate = DefaultRepairRate
	}
	return repairRules{after: c.RepairAfter.Or(audit.DefaultRepair), turn: c.RepairTurn.Or(DefaultRepairTurn), rate: rate}
}

// headed is a member, who says how far its ledger is.
type headed interface {
	Heads(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error)
}

// vicinity is who else is there, and what this node offers itself.
type vicinity interface {
	nodes(ctx context.Context) ([]p2p.Node, error)
	self() p2p.Node
}

// How often a steward looks, what one plan holds, and how long it is worked on before
// there is a newer one.
const (
	stewardPart = 20 // looks within one grace
	stewardMin  = 200 * time.Millisecond
	stewardMax  = time.Minute
	planTasks   = 4096
	shift       = 30 * time.Second

	// retryPart is what part of the grace a segment, or a new holder, is left alone after
	// it has failed.
	retryPart = 10
	retryMin  = time.Second
	retryMax  = 10 * time.Minute
)

// start makes the crew and the loop of a steward whose other fields are filled in.
func (w *steward) start() *steward {
	w.waits, w.given, w.struck = map[ident.CID]*waits{}, map[segmentOf]time.Time{}, map[target]time.Time{}
	w.queues = map[ident.CID]*queue{}
	w.crew = repair.NewCrew(repair.Config{
		Self: w.keys.cert.Node, Rate: w.rules.rate, Log: w.log, Began: w.began, Report: w.report, Moved: w.did.carried,
	})
	every := min(max(w.rules.after/stewardPart, stewardMin), stewardMax)
	w.loop = bg.NewLoop("repair", every, w.run, bg.Jitter(every/4), bg.Log(w.log))
	return w
}

// run plans for all vaults, and works on the most endangered segments until there is
// nothing left, or a newer plan is due.
func (w *steward) run(ctx context.Context) error {
	jobs, err := w.plan(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrPaused) {
		w.log.Warn("not all vaults are looked after for now", "error", err)
	}
	if len(jobs) == 0 {
		return nil
	}
	slices.SortStableFunc(jobs, func(a, b repair.Job) int { return int((a.Life - b.Life) / time.Second) })
	soon, cancel := context.WithTimeout(ctx, shift)
	defer cancel()
	w.crew.Work(ctx, jobs, soon.Done())
	if ctx.Err() == nil {
		w.loop.Trigger()
	}
	return nil
}

// plan lists what is to be done for all vaults. One that cannot be looked at keeps no
// other back.
func (w *steward) plan(ctx context.Context) (jobs []repair.Job, err error) {
	var vaults []ident.CID
	err = w.volume.use(ctx, func(p *parts) error {
		vaults = p.member.All()
		return nil
	})
	if err != nil {
		return nil, err
	}
	s := &survey{steward: w}
	for _, v := range vaults {
		more, failed := s.vault(ctx, v)
		jobs = append(jobs, more...)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("vault %v: %w", v, failed))
		}
	}
	w.forget(vaults)
	return jobs, err
}

// report takes in what became of a job.
func (w *steward) report(r repair.Result) {
	at := segmentOf{r.Charter().ID(), r.Segment.CID}
	w.settle(at, r)
	log := w.log.With("vault", at.vault.String(), "segment", at.segment.String())
	switch {
	case r.Err == nil:
		log.Debug("repaired", "rows", r.Rows, "moved", r.Move)
	case errors.Is(r.Err, repair.ErrIllCoded):
		w.illCoded(context.Background(), at)
	case errors.Is(r.Err, context.Canceled):
	default:
		log.Warn("not repaired for now", "rows", r.Rows, "error", r.Err)
	}
	w.did.take(r)
}

// settle remembers who is to be left alone for a while: a new holder that has failed, or
// else the segment.
func (w *steward) settle(at segmentOf, r repair.Result) {
	pause := min(max(w.rules.after/retryPart, retryMin), retryMax)
	until := w.stamp.now().Add(pause)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue(at.vault).ended()
	var failed *repair.TargetError
	switch {
	case r.Err == nil:
		// What does not count although it was recorded is not done again at once.
		w.given[at] = w.stamp.now().Add(min(pause, time.Minute))
	case errors.As(r.Err, &failed):
		w.struck[target{at.vault, failed.Node}] = until
	default:
		w.given[at] = until
	}
}

// forget drops what is remembered of vaults that are not kept, and of failures whose
// time is over.
func (w *steward) forget(vaults []ident.CID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.stamp.now()
	maps.DeleteFunc(w.waits, func(v ident.CID, _ *waits) bool { return !slices.Contains(vaults, v) })
	maps.DeleteFunc(w.queues, func(v ident.CID, _ *queue) bool { return !slices.Contains(vaults, v) })
	for at, until := range w.given {
		if !now.Before(until) {
			delete(w.given, at)
		}
	}
	for at, until := range w.struck {
		if !now.Before(until) {
			delete(w.struck, at)
		}
	}
}

// isStruck reports whether a new holder is left alone.
func (w *steward) isStruck(at target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, struck := w.struck[at]
	return struck && w.stamp.now().Before(until)
}

// isGiven reports whether a segment is left alone.
func (w *steward) isGiven(at segmentOf) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, given := w.given[at]
	return given && w.stamp.now().Before(until)
}

// illCoded remembers a segment whose rows do not belong together, and says whose it is.
func (w *steward) illCoded(ctx context.Context, at segmentOf) {
	var lane ident.PublicKey
	err := w.volume.use(ctx, func(p *parts) error {
		in, err := p.member.Introduced(at.vault, at.segment)
		if lane = in.Lane; err != nil {
			return err
		}
		return p.book.addIllCoded(at, lane)
	})
	w.log.Error("a segment is ill-coded by its writer: it is not repaired, and nothing of it is dropped",
		"vault", at.vault.String(), "segment", at.segment.String(), "lane", lane.String(), "error", err)
}
