package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// What can be wrong with the name of a request.
var (
	ErrNoRequest    = errors.New("no such request")
	ErrManyRequests = errors.New("several requests begin with that")
	// ErrNothingReleased says that there is nothing to take back.
	ErrNothingReleased = errors.New("nothing was released")
	// ErrNoSay says that a key is none that is asked about a request.
	ErrNoSay = errors.New("this key has no say in it")
)

// findCase finds one case by the beginning of its request's name.
func findCase(cases []Case, ref string) (Case, error) {
	if len(ref) < minPrefix {
		return Case{}, fmt.Errorf("%w: %q is shorter than %d digits", ErrNoRequest, ref, minPrefix)
	}
	var found []Case
	for _, k := range cases {
		if strings.HasPrefix(k.ID(), strings.ToLower(ref)) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return Case{}, fmt.Errorf("%w: %s", ErrNoRequest, ref)
	case 1:
		return found[0], nil
	}
	return Case{}, fmt.Errorf("%w: %s", ErrManyRequests, ref)
}

// ID is the name by which people call the request.
func (k Case) ID() string { return k.Request.CID().Hex() }

// opine signs an approval or a veto and gives it to all members. It returns how many
// keep it.
func (c council) opine(ctx context.Context, k Case, stance ledger.Stance, key ident.PrivateKey) (int, error) {
	if err := ledger.CheckVoice(c, stance, key.Public(), c.now()); err != nil {
		return 0, fmt.Errorf("%s request %.8s: %w: %w", stance, k.ID(), ErrNoSay, err)
	}
	signed, err := ledger.SignOpinion(key, stance, ledger.Opinion{
		Vault: k.Request.Vault, Charter: k.Request.Charter, Request: k.Request.CID(), Clock: ledger.Millis(c.now()),
	})
	if err != nil {
		return 0, err
	}
	kept, err := c.tell(ctx, func(ctx context.Context, m seat) error {
		return m.Opine(ctx, c.charter.ID(), stance, signed)
	})
	if err != nil {
		return kept, fmt.Errorf("%s request %.8s: %w", stance, k.ID(), err)
	}
	return kept, nil
}

// undo takes a case's certified releases back, and returns how many: a quorum has to
// say so, and each member says it only in time.
func (c council) undo(ctx context.Context, k Case, key ident.PrivateKey) (int, error) {
	if err := ledger.CheckUndoer(c, key.Public(), c.now()); err != nil {
		return 0, fmt.Errorf("take back a release: %w: %w", ErrNoSay, err)
	}
	if len(k.Releases) == 0 {
		return 0, fmt.Errorf("request %.8s: %w: it is %s", k.ID(), ErrNothingReleased, k.State)
	}
	done := 0
	for _, release := range slices.SortedFunc(slices.Values(k.Releases), ident.CID.Compare) {
		if err := c.undoOne(ctx, release, key); err != nil {
			return done, fmt.Errorf("take back release %.8s: %w", release.Hex(), err)
		}
		done++
	}
	return done, nil
}

func (c council) undoOne(ctx context.Context, release ident.CID, key ident.PrivateKey) error {
	signed, err := ledger.SignUndo(key, ledger.Undo{
		Vault: c.charter.ID(), Charter: c.charter.CID(), Release: release, Clock: ledger.Millis(c.now()),
	})
	if err != nil {
		return err
	}
	answers := gather(ctx, c.charter.Members, quorumWait{Enough: len(c.charter.Members), Limit: askLimit},
		func(ctx context.Context, m ledger.Member) (ident.Signed, error) {
			word, err := c.member(m).Undo(ctx, c.charter.ID(), signed)
			if err != nil {
				return word, err
			}
			w, err := ledger.VerifyUndone(word, c.charter, release)
			if err == nil && w.Operator != m.Operator {
				err = ErrFork
			}
			return word, err
		})
	var words []ident.Signed
	for _, a := range answers {
		if a.Err == nil {
			words = append(words, a.Value)
		}
	}
	if len(words) < c.quorum() {
		return refusal(answers, len(words), c.quorum())
	}
	cert, _, err := ledger.NewUndoCertificate(release, words, c.charter)
	if err != nil {
		return err
	}
	_, err = c.tell(ctx, func(ctx context.Context, m seat) error { return m.Undone(ctx, c.charter.ID(), cert) })
	return err
}
