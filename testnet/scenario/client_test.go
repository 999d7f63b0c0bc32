package scenario

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"holdfast/testnet"
)

// A client that is killed at random points leaves nothing half-visible, takes nothing
// back, and its next run continues.
func TestClientKilled(t *testing.T) {
	seed := newSeed(t)
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}, Seed: seed})
	random := rand.New(rand.NewPCG(seed, 11))
	rounds := *kills
	switch {
	case rounds == 0 && *long:
		rounds = 200
	case rounds == 0:
		rounds = 8
	}
	usual := w.complete(t).Took
	killed, round := 0, 0
	for ; round < rounds || killed == 0; round++ {
		must(t, w.Tree.Change())
		r, err := w.Backup(t.Context(), func(run *Running) error {
			// When it strikes is what is random here.
			time.Sleep(time.Duration(random.Int64N(int64(usual + usual/4))))
			return run.Kill()
		})
		must(t, err)
		if r.Code == -1 {
			killed++
		}
		if listed, err := w.List(t.Context()); err != nil || listed.Code != 0 {
			t.Fatalf("round %d: %v, %v", round, listed, err)
		}
		usual = w.complete(t).Took
		if _, err := w.List(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		must(t, w.Settle())
		if round%5 == 0 {
			must(t, w.Restore(t.Context(), random.IntN(len(w.kept)), nil))
		}
		must(t, w.Thin(random.IntN))
	}
	t.Logf("killed %d of %d runs; %d snapshots", killed, round, len(w.kept))
	must(t, os.RemoveAll(w.Machine.Cache()))
	must(t, w.RestoreAll(t.Context()))
}
