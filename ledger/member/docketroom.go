package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

const (
	// maxCases is how many requests of a vault are remembered that came to nothing, or may
	// yet: for as long as they could come again.
	maxCases = 1024
	// maxVoid is how many are remembered that are void: those cannot come to life again.
	maxVoid = 256
)

// checkRoom holds how many requests are kept under the charter in force.
func (v *vault) checkRoom(x index, now time.Time) error {
	ids, err := x.requests()
	if err != nil {
		return err
	}
	open, kept := 0, 0
	for _, id := range ids {
		c, err := x.gather(id)
		if err != nil {
			return err
		}
		if c.Certified() || c.Asked().Charter != v.inForce().CID() {
			continue
		}
		if kept++; len(c.Vetoes) == 0 && now.Before(ledger.Time(c.First).Add(ledger.RequestLife)) {
			open++
		}
	}
	if open >= ledger.MaxOpen || kept >= maxCases {
		return fmt.Errorf("%w: %d open requests", ErrFull, open)
	}
	return nil
}

// prune removes requests that came to nothing and are too old to come again, and the
// oldest of many that are void. The caller holds v.releasing.
func (v *vault) prune(now time.Time) error {
	var gone []ledger.Case
	err := v.read(func(x index) error {
		var err error
		gone, err = v.settled(x, now)
		return err
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	err = v.write(func(x index) error {
		for _, c := range gone {
			if err := x.dropCase(c); err != nil {
				return err
			}
		}
		return nil
	})
	for i := 0; err == nil && i < len(gone); i++ {
		v.removeCase(gone[i])
	}
	return err
}

// settled returns the requests that may be forgotten.
func (v *vault) settled(x index, now time.Time) (gone []ledger.Case, err error) {
	ids, err := x.requests()
	if err != nil {
		return nil, err
	}
	var void []ledger.Case
	for _, id := range ids {
		c, err := x.gather(id)
		switch {
		case err != nil:
			return nil, err
		case c.Certified():
		case now.After(ledger.Time(c.First).Add(ledger.RequestKept)):
			gone = append(gone, c)
		case c.Asked().Charter != v.inForce().CID():
			void = append(void, c)
		}
	}
	slices.SortFunc(void, func(a, b ledger.Case) int { return cmp.Compare(b.First, a.First) })
	return append(gone, void[min(len(void), maxVoid):]...), nil
}

func (x index) dropCase(c ledger.Case) error {
	request := c.Asked().CID()
	err := x.bucket(casesBucket).Delete(request.Bytes())
	for stance, list := range opinionsOf(c) {
		for _, s := range list {
			o, readErr := ledger.ReadOpinion(s, stance)
			err = errors.Join(err, readErr, x.bucket(opinionsBucket).Delete(opinionKey(request, stance, o.By)))
		}
	}
	return err
}

func opinionsOf(c ledger.Case) map[ledger.Stance][]ident.Signed {
	return map[ledger.Stance][]ident.Signed{ledger.Approve: c.Approvals, ledger.Veto: c.Vetoes}
}
