package member_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// moved is the receipt of member m for shards of a snapshot, given at a time after
// the commit.
func (w *world) moved(m int, at time.Duration, shards ...ledger.ReceiptShard) ident.Signed {
	holder := w.vault.Members[m]
	when := ledger.Millis(ledgertest.Start().Add(at))
	return must(ledger.SignReceipt(holder.Vote, ledger.Receipt{
		Vault: w.id(), Charter: w.vault.Charter.CID(), Device: ledgertest.Key("laptop").Public(), Node: holder.Node.Public(),
		Shards: shards, Time: when, Until: when + 8*24*3600*1000,
	}))
}

// shard names shard i of a segment of a snapshot.
func shard(s ledgertest.Step, segment, i int) ledger.ReceiptShard {
	all := must(must(ledger.ParseSnapshotBody(s.Body)).ParseSegments())
	return ledger.ReceiptShard{Segment: all[segment].CID, Index: int64(i), Shard: all[segment].Descriptor.Shards[i]}
}

func TestLaterPlacements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop", 0, 1, 2)
	s := lane.Snapshot("one", 2)
	w.run(lane, s, 0, 1, 2)
	store := w.stores[0]
	add := func(m int, receipt ident.Signed) error {
		return store.AddPlacement(w.id(), receipt, w.vault.Members[m].Certificate)
	}
	known := func(segment int) (out []ident.CID) {
		for _, p := range must(store.Placements(w.id(), namesOf(s)[segment])) {
			out = append(out, p.Receipt.CID())
		}
		return out
	}
	files := func() int {
		return len(must(os.ReadDir(filepath.Join(w.dirs[0], w.id().Hex(), "placement"))))
	}
	both := w.moved(1, 0, shard(s, 0, 0), shard(s, 1, 0))
	old := w.moved(1, -time.Minute, shard(s, 0, 0))
	newer := w.moved(1, time.Minute, shard(s, 0, 0))
	newest := w.moved(1, 2*time.Minute, shard(s, 0, 0), shard(s, 1, 0))
	other := w.moved(2, -time.Minute, shard(s, 0, 0))
	for i, step := range []struct {
		member      int
		receipt     ident.Signed
		zero, one   []ident.CID
		files       int
		description string
	}{
		{1, both, []ident.CID{both.CID()}, []ident.CID{both.CID()}, 1, "the first for two shards"},
		{1, both, []ident.CID{both.CID()}, []ident.CID{both.CID()}, 1, "the same again"},
		{1, old, []ident.CID{both.CID()}, []ident.CID{both.CID()}, 1, "an older one"},
		{1, newer, []ident.CID{newer.CID()}, []ident.CID{both.CID()}, 2, "a newer one for one shard"},
		{1, newest, []ident.CID{newest.CID()}, []ident.CID{newest.CID()}, 1, "a newer one for both"},
		{2, other, sortedNames(newest.CID(), other.CID()), []ident.CID{newest.CID()}, 2, "an older one of another operator"},
	} {
		if err := add(step.member, step.receipt); err != nil {
			t.Fatalf("%s: %v", step.description, err)
		}
		if z, o := known(0), known(1); !slices.Equal(z, step.zero) || !slices.Equal(o, step.one) {
			t.Errorf("%d, %s: %v, %v", i, step.description, z, o)
		}
		if n := files(); n != step.files {
			t.Errorf("%s: %d files", step.description, n)
		}
	}
	wrong := shard(s, 0, 1)
	wrong.Index = 2
	beyond := shard(s, 0, 1)
	beyond.Index = 4
	for what, c := range map[string]struct {
		receipt ident.Signed
		cert    ident.Signed
		want    error
	}{
		"another's certificate": {both, w.vault.Members[2].Certificate, ident.ErrSignature},
		"segment not known":     {w.moved(1, 0, shard(lane.Snapshot("two", 1), 0, 0)), w.vault.Members[1].Certificate, ledger.ErrReceipt},
		"another shard":         {w.moved(1, 0, wrong), w.vault.Members[1].Certificate, ledger.ErrReceipt},
		"no such shard":         {w.moved(1, 0, beyond), w.vault.Members[1].Certificate, ledger.ErrReceipt},
		"from the future":       {w.moved(1, time.Hour, shard(s, 0, 1)), w.vault.Members[1].Certificate, ledger.ErrReceipt},
		"nearly over":           {w.moved(1, -7*24*time.Hour, shard(s, 0, 1)), w.vault.Members[1].Certificate, ledger.ErrReceipt},
	} {
		t.Run(what, func(t *testing.T) {
			wantErr(t, store.AddPlacement(w.id(), c.receipt, c.cert), c.want)
		})
	}
	damage(t, filepath.Join(w.dirs[0], w.id().Hex(), "placement", newest.CID().Hex()))
	_, err := store.Placements(w.id(), namesOf(s)[0])
	wantErr(t, err, member.ErrCorrupt)
}
