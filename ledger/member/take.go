package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// taking is a certificate on its way into the store, by Certify or Adopt, and what is
// found out about it.
type taking struct {
	vault       *vault
	certificate ledger.Certificate
	cert        []byte
	adopted     *adopted // nil if the member is to acknowledge what it has

	entry    ledger.Entry
	rec      record
	known    bool // something is known of the entry
	was, now ledger.LaneState
	eff      ledger.Effect
	whole    bool // eff is known
	undo     undo
	against  []byte // certificate of another entry at the same place
	lost     bool   // it holds a vote of this member that its store does not know
	unfiled  int    // certified entries more that are not among the files
}

// adopted is what comes with a certificate that is not acknowledged.
type adopted struct {
	entry ledger.Entry
	link  ledger.Link
	eff   ledger.Effect
	size  int64 // of its file, once that is written
}

// run takes the certificate: when it returns nil the certificate, the entry and its
// body are on the disk.
func (t *taking) run() error {
	v := t.vault
	seen := v.seen()
	err := v.read(t.judge)
	if t.lost {
		err = errors.Join(err, v.forget(t.certificate))
	}
	if err == nil && t.adopted == nil {
		err = v.present(t.certificate.Entry)
	}
	if errors.Is(err, ledger.ErrFork) && t.against != nil {
		err = errors.Join(err, v.forked(t.certificate.Place(), t.cert, t.against))
	}
	if err != nil || !t.changes() {
		return err
	}
	if t.adopted != nil && t.renews() {
		if t.adopted.size, err = v.dirs.writeEntry(t.certificate.Entry, t.adopted.link); err != nil {
			return fmt.Errorf("keep entry: %w", err)
		}
	}
	err = v.change(func(x index) error {
		if v.unchanged(seen) {
			return nil
		}
		return t.judge(x)
	}, t.keep)
	if errors.Is(err, errMoved) {
		return t.run()
	}
	if err != nil {
		return fmt.Errorf("keep certificate: %w", err)
	}
	v.count(t.unfiled)
	return nil
}

// errMoved says that the head has changed since a certificate was judged, so that the
// file of its entry is needed after all.
var errMoved = errors.New("head has changed")

// changes reports whether anything is to be written.
func (t *taking) changes() bool { return t.now.Entry != t.was.Entry || t.now.Attempt != t.was.Attempt }

// renews reports whether the head becomes another entry.
func (t *taking) renews() bool { return t.now.Entry != t.was.Entry }

// replaces reports whether the entry that was the head is void.
func (t *taking) replaces() bool { return t.renews() && t.now.Height == t.was.Height }

// judge decides whether the certificate is taken, by the state of its lane. It writes
// nothing.
func (t *taking) judge(x index) error {
	v, c, at := t.vault, t.certificate, t.certificate.Place()
	var err error
	if t.rec, t.known, err = x.entry(c.Entry); err != nil {
		return err
	}
	if t.was, err = v.laneState(x, at.Charter, at.Lane); err != nil {
		return err
	}
	t.now = t.was
	t.lost = v.lost(c, t.was)
	if t.lost && t.adopted == nil {
		return fmt.Errorf("vault %s: %w", v.id, ErrForgotten)
	}
	if t.adopted == nil && x.frozen(at.Charter) {
		if err := ledger.CheckFrozenAck(v.inForce(), at.Lane); err != nil {
			return err
		}
	}
	if at.Height < t.was.Height {
		return t.below(x)
	}
	if err := t.find(); err != nil {
		return err
	}
	b := ledger.Ballot{Height: at.Height, Attempt: at.Attempt, Entry: c.Entry, Prev: t.entry.Prev}
	if at.Height == t.was.Height && at.Attempt == t.was.Attempt && c.Entry != t.was.Entry {
		return t.fork(x, t.was.Entry)
	}
	if t.adopted != nil {
		t.now, err = t.was.Adopt(b)
	} else {
		t.now, err = t.was.Certify(b)
	}
	if err != nil || !t.renews() {
		return err
	}
	return t.effects(x)
}

// below judges a certificate of a height at which nothing changes any more.
func (t *taking) below(x index) error {
	c, at := t.certificate, t.certificate.Place()
	other, err := x.at(at.Lane, at.Height)
	if err != nil || other == c.Entry {
		return err
	}
	rec, err := x.chained(other.Bytes())
	if err != nil {
		return err
	}
	if rec.Attempt == at.Attempt {
		return t.fork(x, other)
	}
	return fmt.Errorf("%w: entry %s is certified at height %d", ledger.ErrStale, other, at.Height)
}

// fork refuses a certificate when there is one of another entry at its very place:
// members have signed what they must not.
func (t *taking) fork(x index, other ident.CID) error {
	rec, err := x.chained(other.Bytes())
	if err != nil {
		return err
	}
	l, err := rec.link()
	if err != nil {
		return err
	}
	t.against = l.Cert
	return fmt.Errorf("%w: entry %s is certified at %v too", ledger.ErrFork, other, t.certificate.Place())
}

// find returns the entry that is certified: what was adopted with it, or what is here.
func (t *taking) find() error {
	at := t.certificate.Place()
	switch {
	case t.adopted != nil:
		t.entry = t.adopted.entry
		return nil
	case !t.known && at.Height > t.was.Height+1:
		return fmt.Errorf("%w: height %d", ledger.ErrBehind, at.Height)
	case !t.known && at.Height == t.was.Height && at.Attempt < t.was.Attempt:
		return fmt.Errorf("%w: attempt %d, head of attempt %d", ledger.ErrStale, at.Attempt, t.was.Attempt)
	case !t.known && at.Height == t.was.Height && at.Attempt == t.was.Attempt:
		return nil // a fork, which needs no entry
	case !t.known:
		return fmt.Errorf("%w: %s", ErrUnknownEntry, t.certificate.Entry)
	}
	l, err := t.rec.link()
	if err != nil {
		return err
	}
	if t.entry, err = ledger.ParseEntry(l.Entry); err != nil {
		return err
	}
	return t.certificate.Certifies(t.entry)
}

// effects finds out what changes with the new head, and what the old one has changed.
// Of a snapshot that nothing was in the way of, all of that is in the index already.
func (t *taking) effects(x index) error {
	v := t.vault
	if t.replaces() {
		var err error
		if t.undo, err = v.undoOf(x, t.was.Entry); err != nil {
			return err
		}
	}
	if t.adopted != nil {
		t.eff, t.whole = t.adopted.eff, true
		return nil
	}
	contested := slices.ContainsFunc(t.was.Locks, func(l ledger.Lock) bool {
		return l.Height == t.now.Height && l.Entry != t.now.Entry
	})
	if t.entry.Kind == ledger.KindSnapshot && !t.replaces() && !contested {
		return nil
	}
	body, err := v.bodyOf(x, t.certificate.Entry)
	if err != nil {
		return err
	}
	ch, err := v.charterOf(t.entry.Charter)
	if err != nil {
		return err
	}
	t.eff, err = ledger.ReadEffect(ch, t.entry, body)
	t.whole = err == nil
	return err
}

// keep writes down the certificate, and what changes with it.
func (t *taking) keep(x index) error {
	if !t.changes() {
		return nil // another call was faster
	}
	t.unfiled = 0
	if err := t.vault.freezeFor(x, t.entry); err != nil {
		return err
	}
	if t.replaces() {
		if x.get(unsettledBucket, t.was.Entry.Bytes()) != nil {
			t.unfiled--
		}
		if err := x.rollBack(t.undo); err != nil {
			return err
		}
	}
	if err := t.keepLink(x); err != nil {
		return err
	}
	if t.renews() {
		if err := x.putCertified(t.entry, t.eff); err != nil {
			return err
		}
	}
	return x.putFloors(t.entry.Charter, t.entry.Lane, t.now)
}

// keepLink writes the record of the head with its certificate.
func (t *taking) keepLink(x index) error {
	id := t.certificate.Entry
	rec, known, err := x.entry(id)
	if err != nil {
		return err
	}
	if t.adopted != nil && t.renews() {
		before, _, err := x.entry(t.entry.Prev)
		if err != nil {
			return err
		}
		rec = record{
			Count: before.Count + int64(len(t.eff.Segments)), Size: t.adopted.size, Certified: true,
			Attempt: t.now.Attempt, Unsure: !t.now.Sure, Seen: cmp.Or(rec.Seen, ledger.Millis(t.vault.store.cfg.Now())),
		}
		return errors.Join(x.putLink(t.entry, t.adopted.link, t.eff, rec), x.bucket(heldBucket).Delete(id.Bytes()))
	}
	if !known {
		return fmt.Errorf("entry %s: %w", id, ErrCorrupt)
	}
	if t.whole && t.entry.Kind == ledger.KindSnapshot {
		if err := x.introduce(id, t.eff.Segments, rec.Count-int64(len(t.eff.Segments))); err != nil {
			return err
		}
	}
	l, err := rec.link()
	if err != nil {
		return err
	}
	l.Cert, l.Body = t.cert, nil
	if rec.Link, err = l.Encode(); err != nil {
		return err
	}
	rec.Certified, rec.Attempt, rec.Unsure = true, t.now.Attempt, !t.now.Sure
	if x.get(unsettledBucket, id.Bytes()) == nil {
		t.unfiled++
	}
	return errors.Join(x.putEntry(id, rec), x.put(unsettledBucket, id.Bytes(), []byte{}))
}
