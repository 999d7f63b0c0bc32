package vault

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/seal"
	"holdfast/vault/snapshot"
)

// Snapshot is a certified snapshot as this machine can show it.
type Snapshot struct {
	Link   Link
	Device string            // the lane's name
	Open   bool              // this device can read what follows
	Info   snapshot.Snapshot // zero unless Open
}

// ID is the name by which people call it.
func (s Snapshot) ID() string { return s.Link.CID.Hex() }

// Filter chooses snapshots.
type Filter struct {
	Hosts, Paths, Tags []string
	Objects            bool // what `put` has stored, too
}

// What can be wrong when a snapshot is named.
var (
	ErrNoSnapshot     = errors.New("no such snapshot")
	ErrManySnapshots  = errors.New("several snapshots begin with that")
	errNothingMatches = errors.New("no snapshot matches")
	// ErrOnlyPartial says that there are only checkpoints, which have to be named.
	ErrOnlyPartial = errors.New("there are only partial snapshots, of backups that were not finished")
)

func (f Filter) empty() bool { return len(f.Hosts) == 0 && len(f.Paths) == 0 && len(f.Tags) == 0 }

// matches reports whether a snapshot has one of the hosts, all of the paths and one
// of the tag lists (a list like "a,b" wants all of its tags).
func (f Filter) matches(s Snapshot) bool {
	if !f.Objects && s.Info.Object.Defined() {
		return false
	}
	if f.empty() {
		return true
	}
	if !s.Open {
		return false
	}
	if len(f.Hosts) > 0 && !slices.Contains(f.Hosts, s.Info.Host) {
		return false
	}
	for _, p := range f.Paths {
		if !slices.ContainsFunc(s.Info.Paths, func(q []byte) bool { return string(q) == path.Clean(p) }) {
			return false
		}
	}
	return len(f.Tags) == 0 || slices.ContainsFunc(f.Tags, func(list string) bool {
		for tag := range strings.SplitSeq(list, ",") {
			if !slices.Contains(s.Info.Tags, tag) {
				return false
			}
		}
		return true
	})
}

// Snapshots lists what the vault holds, oldest first, as of the last Sync. What a
// certified release has forgotten is not in it: its bytes are going, or are gone.
func (s *Session) Snapshots(ctx context.Context, f Filter) ([]Snapshot, error) {
	var out []Snapshot
	for lane, links := range s.history.lanes {
		for _, l := range links {
			if l.Entry.Kind != ledger.KindSnapshot || s.isForgotten(l.CID) {
				continue
			}
			snap := Snapshot{Link: l, Device: s.history.grants[lane].Name}
			if len(s.profile.Identities) > 0 {
				info, err := s.openSnapshot(ctx, l)
				if err != nil {
					return nil, err
				}
				snap.Info, snap.Open = info, true
			}
			if f.matches(snap) {
				out = append(out, snap)
			}
		}
	}
	for i := range out {
		if err := s.proveTime(ctx, &out[i].Link); err != nil {
			return nil, err
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		if !out[i].Link.Time.Equal(out[j].Link.Time) {
			return out[i].Link.Time.Before(out[j].Link.Time)
		}
		return out[i].Link.CID.Compare(out[j].Link.CID) < 0
	})
	return out, nil
}

// openSnapshot opens and verifies the sealed snapshot of an entry: it must be signed
// by the lane that the entry belongs to.
func (s *Session) openSnapshot(ctx context.Context, l Link) (snapshot.Snapshot, error) {
	b, err := s.snapshotBody(ctx, l)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	return s.unseal(l, b.Sealed)
}

func (s *Session) unseal(l Link, sealed []byte) (snapshot.Snapshot, error) {
	var failed error
	for _, id := range s.profile.Identities {
		p, err := seal.OpenBytes(sealed, snapshot.MaxSnapshot, id)
		if err != nil {
			failed = err
			continue
		}
		var signed ident.Signed
		if err := wire.Decode(p, &signed); err != nil {
			return snapshot.Snapshot{}, fmt.Errorf("snapshot %.8s: %w", l.CID.Hex(), err)
		}
		info, err := snapshot.VerifySnapshot(signed, l.Entry.Lane, s.vault)
		if err != nil {
			return info, fmt.Errorf("snapshot %.8s of lane %s: %w", l.CID.Hex(), l.Entry.Lane.Short(), err)
		}
		return info, nil
	}
	return snapshot.Snapshot{}, fmt.Errorf("open snapshot %.8s: %w", l.CID.Hex(), failed)
}

// minPrefix is the shortest beginning of an ID that names a snapshot.
const minPrefix = 4

// Resolve finds one snapshot: by the beginning of its ID, or "latest", the newest
// complete one among those that match the filter.
func (s *Session) Resolve(ctx context.Context, ref string, f Filter) (Snapshot, error) {
	f.Objects = ref != "latest"
	all, err := s.Snapshots(ctx, f)
	if err != nil {
		return Snapshot{}, err
	}
	if ref == "latest" {
		return latest(all)
	}
	if len(ref) < minPrefix {
		return Snapshot{}, fmt.Errorf("%w: %q is shorter than %d digits", ErrNoSnapshot, ref, minPrefix)
	}
	var found []Snapshot
	for _, snap := range all {
		if strings.HasPrefix(snap.ID(), strings.ToLower(ref)) {
			found = append(found, snap)
		}
	}
	switch len(found) {
	case 0:
		return Snapshot{}, s.missing(ref)
	case 1:
		return found[0], nil
	}
	return Snapshot{}, fmt.Errorf("%w: %s", ErrManySnapshots, ref)
}

// missing says why there is no snapshot of a name.
func (s *Session) missing(ref string) error {
	for entry, request := range s.releases.forgotten {
		if strings.HasPrefix(entry.Hex(), strings.ToLower(ref)) {
			return fmt.Errorf("%w: %s was released by request %.8s", ErrNoSnapshot, ref, request.Hex())
		}
	}
	return fmt.Errorf("%w: %s", ErrNoSnapshot, ref)
}

// latest returns the newest complete one.
func latest(all []Snapshot) (Snapshot, error) {
	for _, s := range slices.Backward(all) {
		if !s.Info.Partial {
			return s, nil
		}
	}
	if len(all) > 0 {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrNoSnapshot, ErrOnlyPartial)
	}
	return Snapshot{}, fmt.Errorf("%w: %w", ErrNoSnapshot, errNothingMatches)
}

// lanesOf returns the devices' lanes.
func (s *Session) lanesOf() []ident.PublicKey {
	var out []ident.PublicKey
	for lane := range s.history.lanes {
		if lane != s.charter.Owner {
			out = append(out, lane)
		}
	}
	slices.SortFunc(out, ident.PublicKey.Compare)
	return out
}

// Devices lists who may do what, as of the last Sync.
type Device struct {
	Grant   ledger.Grant
	Revoked bool
	Entries int64
	Last    time.Time // of its newest entry
}

// Devices lists the enrolled devices, sorted by name.
func (s *Session) Devices() []Device {
	var out []Device
	for key, g := range s.history.grants {
		d := Device{Grant: g, Revoked: s.history.gone[key], Entries: s.history.height(key)}
		if head, ok := s.history.head(key); ok {
			d.Last = head.Time
		}
		out = append(out, d)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Grant.Name < out[j].Grant.Name })
	return out
}
