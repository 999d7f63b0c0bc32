package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// ErrNeedsOwner says that only the owner may ask: in a vault without guardians nobody
// else is asked before something goes early.
var ErrNeedsOwner = errors.New("without guardians only the owner asks for a release")

// Asked is one request that was made now.
type Asked struct {
	Request ident.CID
	Kind    ledger.RequestKind
	Targets int
	Kept    int // members that have it
}

// Request asks for snapshots to be forgotten. What the charter's routine expiry lets
// go is asked for by itself, because it waits for nobody. Owner is the zero key if the
// words were not given: then the device asks.
func (s *Session) Request(ctx context.Context, leave []Snapshot, reason string, owner ident.PrivateKey) ([]Asked, error) {
	var ids []ident.CID
	for _, snap := range leave {
		ids = append(ids, snap.Link.CID)
	}
	expired, rest, err := s.byExpiry(ctx, ids, s.options.Now())
	if err != nil {
		return nil, err
	}
	var out []Asked
	for _, part := range []struct {
		kind    ledger.RequestKind
		targets []ident.CID
	}{{ledger.RequestExpiry, expired}, {ledger.RequestRelease, rest}} {
		for targets := range slices.Chunk(part.targets, ledger.MaxTargets) {
			one, err := s.ask(ctx, part.kind, targets, reason, owner)
			if err != nil {
				return out, fmt.Errorf("ask for a release: %w", err)
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// ask makes one request and gives it to all members.
func (s *Session) ask(ctx context.Context, kind ledger.RequestKind, targets []ident.CID, reason string, owner ident.PrivateKey) (Asked, error) {
	key := s.profile.Device
	if !owner.IsZero() {
		key = owner
	}
	r := ledger.Request{
		Vault: s.vault, Charter: s.charter.CID(), Kind: kind, Targets: slices.SortedFunc(slices.Values(targets), ident.CID.Compare),
		Reason: reason, By: key.Public(), Clock: ledger.Millis(s.options.Now()),
	}
	c := s.council()
	if err := ledger.CheckAsker(c, r, s.options.Now()); err != nil {
		if len(s.charter.Guardians) == 0 && kind == ledger.RequestRelease && s.Rights() == ledger.Full {
			return Asked{}, fmt.Errorf("%w: %w", ErrNeedsOwner, err)
		}
		return Asked{}, fmt.Errorf("%w: %w", ErrNoRight, err)
	}
	if _, err := rand.Read(r.Nonce[:]); err != nil {
		return Asked{}, err
	}
	signed, err := ledger.SignRequest(key, r)
	if err != nil {
		return Asked{}, err
	}
	kept, err := c.tell(ctx, func(ctx context.Context, m seat) error {
		return m.Request(ctx, s.vault, signed, ident.Signed{})
	})
	return Asked{signed.CID(), kind, len(targets), kept}, err
}

// byExpiry parts what is no longer wanted into what the charter's routine expiry lets
// go without guardians, and the rest. The members decide; here it is only chosen how to
// ask.
//
// SPEC: "older than 90 days, and at least 7 newer complete snapshots of the same lane
// and source"
func (s *Session) byExpiry(ctx context.Context, leave []ident.CID, now time.Time) (expired, rest []ident.CID, err error) {
	e := s.charter.Expiry
	if e == (ledger.Expiry{}) {
		return nil, leave, nil
	}
	leaving := map[ident.CID]bool{}
	for _, id := range leave {
		leaving[id] = true
	}
	old := now.Add(-time.Duration(max(e.After, s.charter.Retention)) * time.Second)
	for _, links := range s.history.lanes {
		for i, l := range links {
			if !leaving[l.CID] {
				continue
			}
			enough, err := s.newerComplete(ctx, links[i:], leaving, e.Newer)
			if err == nil {
				err = s.proveTime(ctx, &l)
			}
			if err != nil {
				return nil, nil, err
			}
			if enough && !l.Time.After(old) {
				expired = append(expired, l.CID)
			} else {
				rest = append(rest, l.CID)
			}
		}
	}
	return expired, rest, nil
}

// newerComplete reports whether there are so many complete snapshots behind the first
// of a lane's links, of the same source, that stay.
func (s *Session) newerComplete(ctx context.Context, links []Link, leaving map[ident.CID]bool, want int64) (bool, error) {
	for _, l := range links[1:] {
		if want <= 0 {
			break
		}
		if l.Entry.Kind != ledger.KindSnapshot || l.Entry.Source != links[0].Entry.Source || leaving[l.CID] || s.isForgotten(l.CID) {
			continue
		}
		b, err := s.snapshotBody(ctx, l)
		if err != nil {
			return false, err
		}
		if !b.Partial {
			want--
		}
	}
	return want <= 0, nil
}
