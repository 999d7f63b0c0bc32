package repair

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"golang.org/x/sync/semaphore"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
)

// Vault is what the crew needs of a vault whose segments it repairs.
type Vault interface {
	// Charter is the one in force.
	Charter() ledger.Charter

	// Descriptor returns the encoded descriptor of a certified segment.
	Descriptor(ctx context.Context, segment ident.CID) ([]byte, error)

	// Holder reaches a node's shelf, this node's own too.
	Holder(node ident.PublicKey) shardrpc.Holder

	// Certificate returns a node's own certificate.
	Certificate(ctx context.Context, node ident.PublicKey) (ident.Signed, error)

	// AddPlacement gives a later placement to all members, and returns how many hold it,
	// and how many there are at present that could.
	AddPlacement(ctx context.Context, p ledger.Placement) (have, could int, err error)
}

// Job is a task in its vault.
type Job struct {
	Vault
	Task
}

// Result is what became of a job: Err is nil if every row has arrived, and is recorded.
type Result struct {
	Job
	Rows      int // that have arrived, and are recorded
	Completed int // of these, nobody had ever held
	Err       error
}

// Config is what a crew works with.
type Config struct {
	Self   ident.PublicKey // node whose shelf is nearest
	Rate   int64           // bytes a second, read and written, 0 for no limit
	Memory int64           // bytes of rows at once, at least; 0 for DefaultMemory
	Log    *slog.Logger

	Began  func(Job)                 // called when a job is begun; may be nil
	Report func(Result)              // called once for each job that was begun, by several goroutines
	Moved  func(read, written int64) // counts bytes; may be nil
}

// DefaultMemory is room for the rows of two large segments.
const DefaultMemory = 2 * 40 << 20

// atOnce is how many segments are worked on at once at most: so many that small ones do
// not wait for one another's round trips.
const atOnce = 16

// Crew rebuilds and moves shards. It is safe for concurrent use.
type Crew struct {
	Config
	budget *budget
	memory *semaphore.Weighted
	slots  chan struct{}
	rows   buffers

	mu     sync.Mutex
	coders map[erasure.Code]*erasure.Coder
}

// NewCrew makes a crew.
func NewCrew(c Config) *Crew {
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	return &Crew{
		Config: c, budget: newBudget(c.Rate), memory: semaphore.NewWeighted(c.Memory), slots: make(chan struct{}, atOnce),
		coders: map[erasure.Code]*erasure.Coder{},
	}
}

// Work does jobs in their order, several at once, and returns when all that it has begun
// have ended. When soon is over it begins no more: the caller has a newer plan by then.
// Every job that was begun is reported. Whatever it leaves half done may be done again.
func (c *Crew) Work(ctx context.Context, jobs []Job, soon <-chan struct{}) {
	clerk := newClerk(c)
	var all sync.WaitGroup
	for _, j := range jobs {
		release, err := c.begin(ctx, j, soon)
		if err != nil {
			break
		}
		if c.Began != nil {
			c.Began(j)
		}
		all.Go(func() {
			defer release()
			c.do(ctx, j, clerk)
		})
	}
	all.Wait()
	clerk.close(ctx)
}

var errSoon = errors.New("there is a newer plan")

// begin waits until there is room for a job.
func (c *Crew) begin(ctx context.Context, j Job, soon <-chan struct{}) (release func(), err error) {
	select {
	case <-soon:
		return nil, errSoon
	default:
	}
	select {
	case c.slots <- struct{}{}:
	case <-soon:
		return nil, errSoon
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	size := min(j.footprint(), c.Memory)
	if err := c.memory.Acquire(ctx, size); err != nil {
		<-c.slots
		return nil, err
	}
	return func() {
		c.memory.Release(size)
		<-c.slots
	}, nil
}

// footprint is how many bytes of rows a task holds at once: k to rebuild from, and those
// that are made of them. One more, asked for when another was slow, is seldom there.
func (t Task) footprint() int64 {
	rows := len(t.To)
	if !t.Move {
		rows += t.Segment.Code.K
	}
	return int64(rows) * t.Segment.RowSize
}

// do works on one job until its rows are with their new holders; the clerk sees to
// their receipts, and reports.
func (c *Crew) do(ctx context.Context, j Job, clerk *clerk) {
	delivered, err := c.deliver(ctx, j)
	clerk.take(ctx, j, delivered, err)
}

// coder returns the coder of a code.
func (c *Crew) coder(code erasure.Code) (*erasure.Coder, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.coders[code]; known != nil {
		return known, nil
	}
	made, err := erasure.NewCoder(code)
	if err == nil {
		c.coders[code] = made
	}
	return made, err
}
