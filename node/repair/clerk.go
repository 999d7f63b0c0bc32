package repair

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// How many shards one receipt names at most, and how long the first of them waits for
// others.
const (
	batchShards = 64
	batchWait   = 2 * time.Second
)

// clerk gathers what has arrived by new holder, asks each for one receipt over many
// shards, and gives it to the members. A job is reported when all of its rows are
// recorded, or have failed.
type clerk struct {
	*Crew
	flushing sync.WaitGroup

	mu   sync.Mutex
	open map[holderOf]*batch
}

// holderOf is a new holder in a vault.
type holderOf struct {
	vault ident.CID
	node  ident.PublicKey
}

// batch is what one receipt will name.
type batch struct {
	vault Vault
	node  ident.PublicKey
	rows  []filed
	timer *time.Timer
}

// filed is one row of a job.
type filed struct {
	ref shardrpc.Ref
	of  *file
}

// file is a job whose rows are not all settled.
type file struct {
	mu     sync.Mutex
	result Result
	left   int
}

func newClerk(c *Crew) *clerk { return &clerk{Crew: c, open: map[holderOf]*batch{}} }

// take files the rows of a job that have arrived, with what went wrong with others.
func (k *clerk) take(ctx context.Context, j Job, arrived []Place, err error) {
	f := &file{result: Result{Job: j, Err: err}, left: len(arrived)}
	if len(arrived) == 0 {
		k.Report(f.result)
		return
	}
	for _, at := range arrived {
		k.file(ctx, j.Vault, at.Node, filed{shardrpc.Ref{Segment: j.Segment.CID, Index: at.Row}, f})
	}
}

// file adds a row to its holder's batch, which is sent off when it is full, or old.
func (k *clerk) file(ctx context.Context, v Vault, node ident.PublicKey, row filed) {
	name := holderOf{v.Charter().ID(), node}
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.open[name]
	if b == nil {
		b = &batch{vault: v, node: node}
		k.open[name] = b
		b.timer = time.AfterFunc(batchWait, func() { k.overdue(ctx, name, b) })
	}
	if b.rows = append(b.rows, row); len(b.rows) == batchShards {
		k.send(ctx, name, b)
	}
}

// overdue sends a batch off if that has not been done.
func (k *clerk) overdue(ctx context.Context, name holderOf, b *batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[name] == b {
		k.send(ctx, name, b)
	}
}

// send closes a batch and settles it in the background. The caller holds the lock.
func (k *clerk) send(ctx context.Context, name holderOf, b *batch) {
	b.timer.Stop()
	delete(k.open, name)
	k.flushing.Go(func() { k.settle(ctx, b) })
}

// close sends off what is left, and waits for everything.
func (k *clerk) close(ctx context.Context) {
	k.mu.Lock()
	for name, b := range k.open {
		k.send(ctx, name, b)
	}
	k.mu.Unlock()
	k.flushing.Wait()
}

// settle gets one receipt for a batch, gives it to the members, and closes its files.
func (k *clerk) settle(ctx context.Context, b *batch) {
	done, err := k.record(ctx, b)
	for _, row := range b.rows {
		why := err
		if err == nil {
			why = done.enough(row.of.result.Move)
		}
		if row.of.settle(row.ref.Index, why) {
			k.Report(row.of.result)
		}
	}
}

// settle counts one row of a file, and reports whether it was the last.
func (f *file) settle(row int, err error) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.result.Rows++
		if f.result.Segment.Held[row] == custody.Nowhere {
			f.result.Completed++
		}
	} else if !errors.Is(f.result.Err, err) {
		f.result.Err = errors.Join(f.result.Err, err)
	}
	f.left--
	return f.left == 0
}

// recorded is how many members hold a receipt.
type recorded struct {
	have, could int
	charter     ledger.Charter
	why         error // of those that do not
}

// enough says whether a row is done.
//
// SPEC: the new place is recorded with members; done when q hold it. Where fewer can be
// had, because others have lost their ledgers, a row that was lost is done when all who
// can hold it, f+1 at least: one of them is honest and tells the others. By a row that is
// moved its holder is emptied, so that q must hold it.
func (r recorded) enough(move bool) error {
	q := r.charter.Quorum()
	if r.have >= q || !move && r.have > r.charter.Faults() && r.have >= r.could {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: %d of %d", ErrFewMembers, r.have, q), r.why)
}

// record asks a new holder for its receipt and gives it to the members.
func (k *clerk) record(ctx context.Context, b *batch) (recorded, error) {
	p, err := k.receipt(ctx, b)
	if err != nil {
		return recorded{}, &TargetError{b.node, err}
	}
	r := recorded{charter: b.vault.Charter()}
	r.have, r.could, r.why = b.vault.AddPlacement(ctx, p)
	return r, nil
}

// receipt gets and verifies a receipt over exactly the rows of a batch.
func (k *clerk) receipt(ctx context.Context, b *batch) (p ledger.Placement, err error) {
	refs := make([]shardrpc.Ref, len(b.rows))
	for i, row := range b.rows {
		refs[i] = row.ref
	}
	if p.Cert, err = b.vault.Certificate(ctx, b.node); err != nil {
		return p, err
	}
	if p.Receipt, err = b.vault.Holder(b.node).Receipt(ctx, later, refs); err != nil {
		return p, err
	}
	r, c, err := p.Verify(b.vault.Charter())
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if c.Node != b.node || !names(r, refs) {
		return p, fmt.Errorf("%w: it is about something else", ErrReceipt)
	}
	return p, nil
}

// names reports whether a receipt names exactly these shards, none of which is there
// twice.
func names(r ledger.Receipt, refs []shardrpc.Ref) bool {
	in := make(map[shardrpc.Ref]bool, len(r.Shards))
	for _, s := range r.Shards {
		in[shardrpc.Ref{Segment: s.Segment, Index: int(s.Index)}] = true
	}
	for _, ref := range refs {
		if !in[ref] {
			return false
		}
	}
	return len(in) == len(refs)
}
