package sim

import (
	"context"
	"time"
)

// history is what happened to one vault in all its years.
type history struct {
	tally
	years float64
	nodes int
}

// play lets one vault of a network live. What hits the whole network hits each of its
// vaults at the same time.
func play(ctx context.Context, c *Config, network, vault int) (history, error) {
	length := time.Duration(c.Years * float64(year))
	w, err := begin(c, vault, generator(c.Seed, stream(vaultStream, network, vault)))
	if err != nil {
		return history{}, err
	}
	w.expect(shocks(c, generator(c.Seed, stream(networkStream, network, 0)), length))
	if err := w.run(ctx, length, nil); err != nil {
		return history{}, err
	}
	return history{w.tally, c.Years, len(w.seats)}, nil
}

// Streams of random numbers of one seed that have nothing to do with each other.
const (
	networkStream = iota
	vaultStream
	settleStream
	splitStream
)

// stream numbers the random numbers of a part of a run.
func stream(what, run, part int) uint64 {
	return uint64(what)<<60 | uint64(run)<<32 | uint64(part)
}

// settle lets the first vault live without a shock, and returns how it was after each
// year: where a year of it may begin.
func settle(ctx context.Context, c *Config, run int) ([]*world, error) {
	rng := generator(c.Seed, stream(settleStream, run, 0))
	w, err := begin(c, 0, rng)
	if err != nil {
		return nil, err
	}
	var out []*world
	for y := 1; ; y++ {
		if err := w.run(ctx, min(time.Duration(y)*year, time.Duration(c.Years*float64(year))), nil); err != nil {
			return nil, err
		}
		out = append(out, w.clone(branch(rng)))
		if float64(y) >= c.Years {
			return out, nil
		}
	}
}
