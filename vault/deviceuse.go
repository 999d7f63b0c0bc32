package vault

import (
	"context"
	"math"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
)

// DeviceUse is a device with what the nodes say, now, that it uses.
type DeviceUse struct {
	Device
	Used   int64 // bytes of shards, by the nodes that answered
	Nodes  int   // of admitted operators, members that are silent included
	Silent int   // of them, those that did not answer
	// Bound is how many bytes of shards the device can add at most if it is stolen
	// now; a node that is silent counts as empty. Without a quota, and with Silent
	// nodes, it is more than what is known: see Unbounded.
	Bound     int64
	Unbounded bool // no quota: only the nodes' free space stands in the way
}

// usesGrace is how long the slower half of the nodes may take to answer.
const usesGrace = 2 * time.Second

// DeviceUses asks the nodes what every device uses. Sync has to be called before. A
// device that may only add is told about itself.
func (s *Session) DeviceUses(ctx context.Context) ([]DeviceUse, error) {
	var asked []Device
	for _, d := range s.Devices() {
		if s.Rights().CanRead() || d.Grant.Device == s.Device() {
			asked = append(asked, d)
		}
	}
	nodes, _, err := s.lookAround(ctx)
	if err != nil {
		return nil, err
	}
	shelves := s.shelves(func(yield func(ledger.Member) bool) {
		for _, n := range nodes {
			if s.charter.Admits(n.Certificate.Operator) && !yield(ledger.Member{Node: n.Certificate.Node, Name: n.Certificate.Name}) {
				return
			}
		}
	})
	var uses []DeviceUse
	for first := 0; first < len(asked); first += shardrpc.MaxDevices {
		some := asked[first:min(first+shardrpc.MaxDevices, len(asked))]
		uses = append(uses, s.usesOf(ctx, shelves, some)...)
	}
	return uses, ctx.Err()
}

// shelves lists the nodes that were found, and the members that were not, each once.
func (s *Session) shelves(found func(func(ledger.Member) bool)) []ledger.Member {
	var out []ledger.Member
	seen := map[ident.PublicKey]bool{}
	for m := range found {
		if !seen[m.Node] {
			seen[m.Node], out = true, append(out, m)
		}
	}
	for _, m := range s.charter.Members {
		if !seen[m.Node] {
			seen[m.Node], out = true, append(out, m)
		}
	}
	return out
}

// usesOf asks every shelf about some devices.
func (s *Session) usesOf(ctx context.Context, shelves []ledger.Member, devices []Device) []DeviceUse {
	keys := make([]ident.PublicKey, len(devices))
	uses := make([]DeviceUse, len(devices))
	for i, d := range devices {
		keys[i] = d.Grant.Device
		uses[i] = DeviceUse{Device: d, Nodes: len(shelves)}
	}
	wait := quorumWait{Enough: (len(shelves) + 1) / 2, Grace: usesGrace, Limit: askLimit}
	answers := gather(ctx, shelves, wait, func(ctx context.Context, m ledger.Member) (shardrpc.Info, error) {
		return s.holder(m.Node).Info(ctx, keys...)
	})
	for _, a := range answers {
		for i := range uses {
			uses[i].take(a, i, s.mayAdd(devices[i]))
		}
	}
	return uses
}

// mayAdd reports whether a device can add anything now.
func (s *Session) mayAdd(d Device) bool {
	return !d.Revoked && d.Grant.Rights.CanAppend() && d.Grant.ValidAt(s.options.Now()) == nil
}

// take counts one node's answer.
func (u *DeviceUse) take(a answer[shardrpc.Info], i int, mayAdd bool) {
	if a.Err != nil {
		u.silent(mayAdd)
		return
	}
	used := a.Value.Charged[i]
	u.Used = plus(u.Used, used)
	if !mayAdd {
		return
	}
	left := max(a.Value.Free, 0)
	if quota := u.Grant.Quota; quota > 0 {
		left = min(left, max(quota-used, 0))
	} else {
		u.Unbounded = true
	}
	u.Bound = plus(u.Bound, left)
}

// silent counts a node that has not answered: all of the quota may be left there.
func (u *DeviceUse) silent(mayAdd bool) {
	u.Silent++
	if !mayAdd {
		return
	}
	u.Unbounded = u.Unbounded || u.Grant.Quota == 0
	u.Bound = plus(u.Bound, u.Grant.Quota)
}

// plus adds what foreign nodes claim.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
