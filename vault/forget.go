package vault

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault/keep"
)

// Forget says which snapshots are no longer wanted: those that are named, or all that
// a policy does not keep.
type Forget struct {
	Refs   []string // beginnings of IDs; the rest counts only without
	Filter Filter
	Policy keep.Policy
}

// Choice is what a Forget means for the vault as it is.
type Choice struct {
	Groups []keep.Group            // what the policy says; none if snapshots were named
	Leave  []Snapshot              // what is no longer wanted, oldest first
	Asked  map[ident.CID]ident.CID // of these, what an open request names already -> the request

	// Refused is what was asked for before and vetoed, or taken back -> that request. A
	// policy does not ask for it again: a job that runs every night would tire those out
	// who say no. Whoever names the snapshot asks again.
	Refused map[ident.CID]ident.CID
}

// Unasked returns what is no longer wanted and is to be asked for.
func (c Choice) Unasked() []Snapshot {
	var out []Snapshot
	for _, snap := range c.Leave {
		_, asked := c.Asked[snap.Link.CID]
		_, refused := c.Refused[snap.Link.CID]
		if !asked && !refused {
			out = append(out, snap)
		}
	}
	return out
}

// Choose finds what a Forget means, as of the last Sync. Nothing is changed.
func (s *Session) Choose(ctx context.Context, f Forget) (Choice, error) {
	c := Choice{Asked: map[ident.CID]ident.CID{}, Refused: map[ident.CID]ident.CID{}}
	var err error
	if len(f.Refs) > 0 {
		c.Leave, err = s.resolveAll(ctx, f.Refs)
	} else {
		err = s.applyPolicy(ctx, f, &c)
	}
	if err != nil {
		return Choice{}, err
	}
	cases, err := s.Cases(ctx)
	if err != nil {
		return Choice{}, err
	}
	for _, k := range cases {
		refused := k.State == ledger.StateVetoed || k.State == ledger.StateUndone
		for _, t := range k.Request.Targets {
			switch {
			case k.State.Open():
				c.Asked[t] = k.Request.CID()
			case refused && len(f.Refs) == 0:
				c.Refused[t] = k.Request.CID()
			}
		}
	}
	return c, nil
}

// resolveAll finds named snapshots, each once.
func (s *Session) resolveAll(ctx context.Context, refs []string) ([]Snapshot, error) {
	var out []Snapshot
	seen := map[ident.CID]bool{}
	for _, ref := range refs {
		snap, err := s.Resolve(ctx, ref, Filter{})
		if err != nil {
			return nil, err
		}
		if !seen[snap.Link.CID] {
			seen[snap.Link.CID] = true
			out = append(out, snap)
		}
	}
	return out, nil
}

// applyPolicy lets the policy choose. Who cannot read does not see host, paths and
// tags, and cannot choose by them. What `put` has stored is forgotten by name only.
func (s *Session) applyPolicy(ctx context.Context, f Forget, c *Choice) error {
	if err := s.needRead(); err != nil {
		return err
	}
	all, err := s.Snapshots(ctx, f.Filter)
	if err != nil {
		return err
	}
	var list []keep.Snapshot
	byID := map[string]Snapshot{}
	for _, snap := range all {
		byID[snap.ID()] = snap
		list = append(list, keep.Snapshot{
			ID: snap.ID(), Time: snap.Link.Time, Host: snap.Info.Host, Paths: texts(snap.Info.Paths), Tags: snap.Info.Tags, Partial: snap.Info.Partial,
		})
	}
	c.Groups = f.Policy.Groups(list)
	leaving := map[ident.CID]bool{}
	for _, g := range c.Groups {
		for _, d := range g.Decisions {
			if !d.Stays() {
				leaving[byID[d.ID].Link.CID] = true
			}
		}
	}
	for _, snap := range all {
		if leaving[snap.Link.CID] {
			c.Leave = append(c.Leave, snap)
		}
	}
	return nil
}
