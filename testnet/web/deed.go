package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/testnet"
)

// deed is something that was done to the network by a button.
type deed struct {
	What   string // heal, add, or a way to break a node
	Target string // a node, or operator=NAME; for add an operator, or nothing for a new one
	Begun  time.Time
	Took   time.Duration
	Over   bool
	Failed string

	nodes []string // to which it is done; none for add
}

// deeds are the newest of them. To one node one is done at a time, and one node is added
// at a time.
type deeds struct {
	config Config
	group  *bg.Group

	mu  sync.Mutex
	all []*deed // the newest first
}

const (
	remembered = 12 // deeds
	deedHeal   = "heal"
	deedAdd    = "add"
)

var (
	errDeed = errors.New("no such button")
	errBusy = errors.New("something is being done to it already")

	errEnding = errors.New("the page is about to end")
)

func newDeeds(c Config) *deeds {
	return &deeds{config: c, group: &bg.Group{Log: slog.New(slog.DiscardHandler)}}
}

// begin does something in the background. What becomes of it stands in the list.
func (d *deeds) begin(what, target string) error {
	if what != deedHeal && what != deedAdd && !slices.Contains(testnet.Harms(), testnet.Harm(what)) {
		return fmt.Errorf("%w: %.20q", errDeed, what)
	}
	n, err := d.config.Network()
	if err != nil {
		return err
	}
	one := &deed{What: what, Target: target, Begun: d.config.Now()}
	if what != deedAdd {
		if one.nodes, err = n.Targets(target); err != nil {
			return err
		}
	}
	if err := d.note(one); err != nil {
		return err
	}
	if !d.group.Go(what+" "+target, func(ctx context.Context) error {
		d.end(one, do(ctx, n, what, target))
		return nil
	}) {
		d.end(one, errEnding)
		return errEnding
	}
	return nil
}

func do(ctx context.Context, n *testnet.Network, what, target string) (err error) {
	switch what {
	case deedHeal:
		_, err = n.Heal(ctx, target)
	case deedAdd:
		_, err = n.Add(ctx, target)
	default:
		_, err = n.Break(ctx, testnet.Harm(what), target)
	}
	return err
}

// note puts a deed on top of the list.
func (d *deeds) note(one *deed) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, other := range d.all {
		if !other.Over && other.meets(one) {
			return fmt.Errorf("%w: %s", errBusy, one.Target)
		}
	}
	d.all = append([]*deed{one}, d.all...)
	for i := len(d.all) - 1; i >= remembered; i-- {
		if d.all[i].Over {
			d.all = slices.Delete(d.all, i, i+1)
		}
	}
	return nil
}

// meets reports whether two deeds would be in each other's way.
func (d *deed) meets(other *deed) bool {
	return d.What == deedAdd && other.What == deedAdd ||
		slices.ContainsFunc(d.nodes, func(name string) bool { return slices.Contains(other.nodes, name) })
}

func (d *deeds) end(one *deed, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one.Over, one.Took = true, d.config.Now().Sub(one.Begun)
	if err != nil {
		one.Failed = err.Error()
	}
}

// list returns the deeds, the newest first.
func (d *deeds) list() []deed {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]deed, len(d.all))
	for i, one := range d.all {
		out[i] = *one
	}
	return out
}

// close ends what is being done, and waits for it.
func (d *deeds) close(ctx context.Context) error { return d.group.Close(ctx) }
