package index

import (
	"testing"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// What is released is no reason not to send a chunk again, an older place that stays is
// one, and a release that was undone leaves no trace.
func TestReleased(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		must(t, x.AddCommit(cid("old"), lane(1), cid("m1"), part("old", 0, 2)))
		must(t, x.AddCommit(cid("new"), lane(1), cid("m2"), part("new", 0, 4)))
		x.SetReleased(map[ident.CID]bool{cid("new"): true})
		for i, want := range []ident.CID{0: cid("old"), 1: {}, 2: {}} {
			id := chunk(2 * i)
			if p, _ := x.Own(seal.KindData, id, lane(1)); p.Segment != want {
				t.Errorf("chunk %d: reason not to send it: %v", 2*i, p.Segment)
			}
			if p := x.OwnAll(seal.KindData, []seal.ChunkID{id}, lane(1)); p[0].Segment != want {
				t.Errorf("chunk %d, among many: reason not to send it: %v", 2*i, p[0].Segment)
			}
		}
		places, err := x.Places(seal.KindData, chunk(0))
		must(t, err)
		if len(places) != 2 || places[0].Segment != cid("old") || places[1].Segment != cid("new") {
			t.Errorf("places: %v", places)
		}
		x.SetReleased(nil)
		if p, ok := x.Own(seal.KindData, chunk(2), lane(1)); !ok || p.Segment != cid("new") {
			t.Errorf("after an undo: %v, %v", ok, p.Segment)
		}
	})
}
