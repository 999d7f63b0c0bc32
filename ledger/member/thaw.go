package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// A release can be taken back while its trash time runs, and nothing can be while the
// charter is frozen. So the time of a freeze does not count: whoever has the owner's
// key must not be able to freeze the way back away.

// putFrozen freezes the charter in force, from a time on. There is one at a time: the
// one before it was frozen too, and nothing is signed under it any more.
func (x index) putFrozen(charter ident.CID, now int64) error {
	if x.frozen(charter) {
		return nil
	}
	if err := x.putNumber(aboutFrozenAt, now); err != nil {
		return err
	}
	return x.put(aboutBucket, []byte(aboutFrozen), charter.Bytes())
}

// prolong gives the releases that could be taken back when a charter was frozen the
// time that they have lost by that.
func (x index) prolong(charter ident.CID, now int64) error {
	since := x.number(aboutFrozenAt)
	if !x.frozen(charter) || now <= since {
		return nil
	}
	open := map[ident.CID]releaseRecord{}
	err := x.bucket(releasedBucket).ForEach(func(_, p []byte) error {
		id, err := ident.CIDFromBytes(p)
		if err != nil {
			return err
		}
		r, _, err := x.releaseOf(id)
		if err == nil && !r.Undone && !r.Closed && r.Until > since {
			open[id] = r
		}
		return err
	})
	if err != nil {
		return err
	}
	for id, r := range open {
		r.Until = min(r.Until+now-since, ledger.Never)
		if err := x.putRelease(id, r); err != nil {
			return err
		}
		if err := x.forget(r.Request); err != nil {
			return err
		}
	}
	return nil
}
