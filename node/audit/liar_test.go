package audit

import (
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// A list that never ends is not listened to for ever, and nothing follows from it.
func TestInventoryWithoutAnEnd(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	h := w.holders[3]
	lost := h.any(1)[0]
	h.lose(lost)
	other := lost.Segment.Hash()
	other[31]++
	h.claims[custody.Shard{Segment: ident.NewCID(ident.DagCBOR, other)}] = true // in the same bucket
	h.endless = true
	w.round()
	if got := w.of(w.members[0], h); h.pages != bucketPages || got.Missing != 0 || !got.Proof.IsZero() {
		t.Errorf("%d pages, %+v", h.pages, got)
	}
}

// Who was found out and then falls silent is looked at as closely when it is back.
func TestFallingSilentAfterAFind(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.rounds(2)
	h, m := w.holders[3], w.members[0]
	at := place{w.vault.ID, h.key.Public()}
	must(t, m.board.Lost(at.vault, at.node, h.any(1)...))
	h.down = rpc.ErrTimeout
	w.rounds(9)
	if left := m.board.holders[at].Alert; left != SamplesForOnePercent {
		t.Errorf("%d of %d challenges are left", left, SamplesForOnePercent)
	}
	h.down = nil
	w.round()
	if left := m.board.holders[at].Alert; left != SamplesForOnePercent-alertShare {
		t.Errorf("%d of %d challenges are left after a round", left, SamplesForOnePercent)
	}
}

// Who answers and says of nothing whether he has it does not serve: he is suspect, and
// then gone, and ok again when he proves something. Greetings make it no better.
func TestAnswersAndProvesNothing(t *testing.T) {
	for name, set := range map[string]func(h *holder, on bool){
		"it refuses everybody": func(h *holder, on bool) {
			if h.down = nil; on {
				h.down = shardrpc.ErrForbidden
			}
		},
		"its disk fails": func(h *holder, on bool) { h.fails = on },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 4, 1, 40, 1<<20)
			w.pass(48 * time.Hour)
			h, m := w.holders[3], w.members[0]
			set(h, true)
			for round := range 14 {
				w.round()
				must(t, m.auditor.Probe(t.Context(), m.board))
				want := ledger.HolderSuspect
				if round >= 12 {
					want = ledger.HolderGone
				}
				if got := w.of(m, h); got.State != want || got.Failed != 0 || got.Down != time.Duration(round)*w.rules.Every {
					t.Fatalf("round %d: %+v", round, got)
				}
			}
			if got := m.board.Totals(); got.Gone != 1 || got.Holders != 4 {
				t.Errorf("%+v", got)
			}
			set(h, false)
			w.round()
			if got := w.of(m, h); got.State != ledger.HolderOK || got.Down != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Who is too busy for audits, and answers otherwise, is no better than one who does not
// answer; but that says nothing about any shard.
func TestTooBusyForAudits(t *testing.T) {
	w := newWorld(t, 4, 1, 10, 1<<20)
	w.pass(48 * time.Hour)
	h, m := w.holders[3], w.members[0]
	h.busy = true
	for round := range 14 {
		w.round()
		must(t, m.auditor.Probe(t.Context(), m.board))
		want := ledger.HolderSuspect
		if round >= 12 {
			want = ledger.HolderGone
		}
		if got := w.of(m, h); got.State != want || got.Missing != 0 || anyDoubts(w, h) {
			t.Fatalf("round %d: %+v", round, got)
		}
	}
	w.pass(72 * time.Hour)
	if got := w.of(m, h); got.State != ledger.HolderGone || got.Missing != 0 || anyDoubts(w, h) {
		t.Errorf("%+v", got)
	}
	h.busy = false
	w.round()
	if got := w.of(m, h); got.State != ledger.HolderOK {
		t.Errorf("%+v", got)
	}
}

// What this node does not ask, because of its own limits, says nothing about the holder.
func TestNotAsked(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.pass(48 * time.Hour)
	h, m := w.holders[3], w.members[0]
	before, began := w.of(m, h), w.now
	h.unasked = true
	w.pass(3 * 24 * time.Hour)
	got := w.of(m, h)
	if got.State != ledger.HolderOK || got.Missing != 0 || got.Timeouts != 0 || got.Passed != before.Passed || anyDoubts(w, h) {
		t.Errorf("%+v", got)
	}
	if got.Proof.After(began) {
		t.Errorf("proof of %v, and nothing was asked since %v", got.Proof, began)
	}
}

// SPEC: a holder must not be asked for a group that it could foresee.
func TestLackingShardsAreAskedForAnyGroup(t *testing.T) {
	w := newWorld(t, 4, 1, 200, 1<<20)
	h := w.holders[3]
	h.lose(h.any(100)...)
	w.round()
	if h.asked < 100 || h.first > 20 {
		t.Errorf("of %d groups %d were the first of their shard", h.asked, h.first)
	}
}

// Shards that stay missing do not keep others from being found again.
func TestAllThatIsMissingIsAskedForAgain(t *testing.T) {
	w := newWorld(t, 4, 1, 300, 1<<20)
	h, m := w.holders[3], w.members[0]
	lost := h.any(200)
	h.lose(lost...)
	w.pass(28 * time.Hour)
	if got := w.of(m, h); got.Missing != 200 {
		t.Fatalf("%+v", got)
	}
	for _, s := range lost[100:] {
		h.shards[s] = 1 << 20
	}
	w.pass(6 * 24 * time.Hour)
	if got := w.of(m, h); got.Missing != 100 {
		t.Errorf("%+v", got)
	}
}

// A node of which one volume of several is away for days serves what it has, and is no
// worse for it; what is on that volume is found shard by shard, and is made again
// elsewhere. When the volume is back nothing is left of that.
func TestOneVolumeIsAway(t *testing.T) {
	w := newWorld(t, 4, 2, 1000, 1<<20)
	w.pass(48 * time.Hour)
	h, m := w.holders[3], w.members[0]
	h.away = map[custody.Shard]bool{}
	for _, s := range h.any(300) {
		h.away[s] = true
	}
	w.pass(23 * time.Hour)
	if got := w.of(m, h); got.Missing != 0 {
		t.Errorf("after a day: %+v", got)
	}
	w.pass(9 * 24 * time.Hour)
	if got := w.of(m, h); got.Missing < 200 || got.Failed != 0 || got.State == ledger.HolderGone {
		t.Errorf("after ten days: %+v", got)
	}
	h.away = nil
	w.pass(4 * 24 * time.Hour)
	if got := w.of(m, h); got.Missing != 0 || got.State != ledger.HolderOK || got.Weight != ledger.FullWeight || anyDoubts(w, h) {
		t.Errorf("afterwards: %+v", got)
	}
}

// A receipt is believed once: who is found without the shard again after it has to prove
// it, whatever else he signs. Who proves it has a clean slate.
func TestPromisesOfALiar(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.rounds(2)
	h, m := w.holders[3], w.members[0]
	lost := h.any(2)
	h.lose(lost...)
	promise := func() {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		must(t, m.board.Promised(w.vault.ID, h.key.Public(), w.now, lost...))
	}
	want := func(missing int) {
		t.Helper()
		if got := w.of(m, h); len(m.missing(w, h)) != missing || got.Missing != int64(missing) {
			t.Fatalf("%v are missing, %d by count, not %d", m.missing(w, h), got.Missing, missing)
		}
	}
	w.pass(28 * time.Hour)
	want(2)
	must(t, m.board.Promised(w.vault.ID, h.key.Public(), w.now.Add(-20*24*time.Hour), lost...)) // an old receipt
	want(2)
	promise()
	want(0)
	must(t, m.board.Close())
	m.open(w)
	want(0)
	w.pass(6 * time.Hour)
	want(2)
	promise()
	want(2)
	for _, s := range lost {
		h.shards[s] = 1 << 20
	}
	w.pass(2 * time.Hour)
	want(0)
	h.lose(lost...)
	w.pass(28 * time.Hour)
	want(2)
	promise()
	want(0)
}
