package sim

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run plays a network: as many times as it takes for Runs histories of a vault, to see
// what repair costs and what is lost; and then single years of its first vault, those
// with a common cause and those without, to estimate what is too rare to be seen. It
// ends early with the context's error. A configuration that cannot be played is
// ErrConfig.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.fill(); err != nil {
		return Report{}, err
	}
	r := Report{Config: c, Vaults: c.vaults()}
	networks := (c.Runs + c.vaults() - 1) / c.vaults()
	all, err := histories(ctx, &c, networks)
	if err != nil {
		return r, err
	}
	r.observe(&c, all)
	if err := r.estimate(ctx, &c); err != nil {
		return r, err
	}
	r.compare(&c)
	return r, nil
}

// histories plays the vaults of so many networks.
func histories(ctx context.Context, c *Config, networks int) ([]history, error) {
	all := make([]history, networks*c.vaults())
	err := sideBySide(ctx, len(all), func(ctx context.Context, i int) (err error) {
		all[i], err = play(ctx, c, i/c.vaults(), i%c.vaults())
		return err
	}, func(done int) { c.Progress(fmt.Sprintf("%d of %d histories of a vault", done, len(all))) })
	return all, err
}

// estimate repeats the descents of all strata.
func (r *Report) estimate(ctx context.Context, c *Config) error {
	kinds := strata(c)
	found := make([][]descent, c.Runs)
	err := sideBySide(ctx, c.Runs, func(ctx context.Context, run int) error {
		from, err := settle(ctx, c, run)
		for i, s := range kinds {
			if err != nil {
				return err
			}
			var d descent
			d, err = descend(ctx, from, s, generator(c.Seed, stream(splitStream, run, i)))
			found[run] = append(found[run], d)
		}
		return err
	}, func(done int) { c.Progress(fmt.Sprintf("%d of %d repetitions for what is rare", done, c.Runs)) })
	if err != nil {
		return err
	}
	for i := len(kinds) - 1; i >= 0; i-- { // common causes first
		var all []descent
		for _, f := range found {
			all = append(all, f[i])
		}
		r.Causes = append(r.Causes, cause(kinds[i], all))
	}
	r.Annual = sum(r.Causes)
	return nil
}

// sideBySide does n independent parts, as many at a time as there are processors, and
// says after each how many are done. What comes of a part does not depend on the others.
func sideBySide(ctx context.Context, n int, part func(context.Context, int) error, said func(done int)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for i := range n {
		g.Go(func() error {
			if err := part(ctx, i); err != nil {
				return err
			}
			said(int(done.Add(1)))
			return nil
		})
	}
	return g.Wait()
}

// compare works out what the closed formulas say. They know of holders that fail by
// themselves, and of repair that begins when the grace is over and a node has room.
func (r *Report) compare(c *Config) {
	r.Away = Unreadable(c.Code, c.Offline)
	rate := Rate(c.AFR) + Rate(c.OperatorLoss)
	if c.RepairRate == 0 || rate == 0 {
		return
	}
	begins := c.Grace
	if c.operatorsOf(0) <= c.Code.N {
		begins = max(begins, c.Replace)
	}
	bundle := float64(c.NodeData) * float64(c.nodesIn(0)) / float64(c.Segments*c.Code.N)
	r.FormulaRepair = begins + time.Duration(bundle*float64(c.Code.K+1)/float64(c.RepairRate)*float64(time.Second))
	r.Formula = Chain{c.Code, rate, r.FormulaRepair}.Annual()
}
