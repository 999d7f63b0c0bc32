package member

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Release keeps a release certificate. From then on its segments are gone and its
// request's targets released, whether or not this member has consented, until a quorum
// takes it back. The entries that introduce the segments must be here; the request need
// not be. It is on the disk when Release returns nil; what is known is kept as it is.
func (s *Store) Release(vault ident.CID, certificate []byte) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	about, err := ledger.ReadReleaseCertificate(certificate)
	if err != nil {
		return err
	}
	ch, err := v.charterOf(about.Charter)
	if err != nil {
		return err
	}
	c, err := ledger.VerifyReleaseCertificate(certificate, ch)
	if err != nil {
		return err
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	known := false
	now := s.cfg.Now()
	err = v.read(func(x index) error {
		rec, _, err := x.releaseOf(c.Released().CID())
		if known = rec.certified(); err != nil || known {
			return err
		}
		_, err = v.releasable(x, c.Released(), now)
		return err
	})
	if err != nil || known {
		return err
	}
	if err := atomicfile.WriteFile(v.dirs.releasePath(c.Released().CID()), certificate, 0o600); err != nil {
		return fmt.Errorf("keep release: %w", err)
	}
	return v.write(func(x index) error { return v.release(x, c, now) })
}

// releasable returns the numbers of a certified release's segments. Under the charter
// in force nothing more is asked: a quorum of its members has. A release of an earlier
// charter was certified by others, who do not vote any more: it counts only if this
// member has neither voted for an entry that refers to a segment nor holds one.
func (v *vault) releasable(x index, r ledger.Release, now time.Time) (ledger.Numbers, error) {
	numbers, unknown, err := x.numbersOf(r.Segments)
	if err == nil && len(unknown) > 0 {
		err = notFree(unknown)
	}
	if err != nil || r.Charter == v.inForce().CID() {
		return numbers, err
	}
	c, err := x.gather(r.Request)
	if err != nil {
		return nil, err
	}
	return v.checkFree(x, c.Asked(), r, ledger.Never)
}

// release writes a certified release down.
func (v *vault) release(x index, c ledger.ReleaseCertificate, now time.Time) error {
	r := c.Released()
	numbers, err := v.releasable(x, r, now)
	if err != nil {
		return err
	}
	rec, known, err := x.releaseOf(r.CID())
	if err != nil {
		return err
	}
	if !known {
		rec = releaseRecord{Request: r.Request, Charter: r.Charter, Lanes: lanesOf(numbers)}
	}
	trash, err := v.trashOf(x, r.Request)
	if err != nil {
		return err
	}
	// SPEC: a member takes a release back only before the trash time has passed on its
	// clock since it first held the certificate
	rec.Until = ledger.Millis(now.Add(trash))
	x.touchSegments(r.Segments...)
	return errors.Join(
		x.file(r.CID(), &rec),
		x.putRelease(r.CID(), rec),
		x.put(listsBucket, r.CID().Bytes(), bytes.Clone(c.Release)),
		x.addNumbers(closingBucket, numbers),
		x.addNumbers(goneBucket, numbers),
		x.forget(r.Request))
}

// trashOf returns the trash time of a request's terms; while the request is not here,
// of the charter in force.
func (v *vault) trashOf(x index, request ident.CID) (time.Duration, error) {
	c, err := x.gather(request)
	if errors.Is(err, ledger.ErrUnknownRequest) {
		return v.inForce().Terms().Trash, nil
	}
	if err != nil {
		return 0, err
	}
	terms, err := v.terms(x, c.Asked())
	return terms.Trash, err
}

const (
	// MaxReleased is how many certified releases are returned at once.
	MaxReleased = 256
	// MaxReleasedBytes is how long they are together, if there is more than one.
	MaxReleasedBytes = 8 << 20
)

// Released returns certified releases, with what took them back, in the order of their
// numbers from one on: at most as many as asked for, MaxReleased, and MaxReleasedBytes
// long together; none means that there are no more. The numbers are this store's own,
// and ascend; a release that is taken back gets a new one.
func (s *Store) Released(vault ident.CID, from int64, limit int) ([]ledger.Released, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	type filed struct {
		id     ident.CID
		seq    int64
		undone bool
	}
	var list []filed
	err = v.read(func(x index) error {
		c := x.bucket(releasedBucket).Cursor()
		for k, p := c.Seek(number(max(from, 1))); k != nil && len(list) < min(limit, MaxReleased); k, p = c.Next() {
			id, err := ident.CIDFromBytes(p)
			if err != nil {
				return err
			}
			rec, _, err := x.releaseOf(id)
			if err != nil {
				return err
			}
			list = append(list, filed{id, rec.Seq, rec.Undone})
		}
		return nil
	})
	var out []ledger.Released
	total := 0
	for _, f := range list {
		r, failed := v.dirs.readReleased(f.id, f.undone)
		if err = errors.Join(err, failed); err != nil {
			return nil, err
		}
		r.Seq = f.seq
		if total += len(r.Cert) + len(r.Undo); len(out) > 0 && total > MaxReleasedBytes {
			break
		}
		out = append(out, r)
	}
	return out, err
}

// readReleased reads the certificates of a release. Both were verified when they came;
// that the files are still of this release is checked.
func (d dirs) readReleased(id ident.CID, undone bool) (ledger.Released, error) {
	cert, err := readFile(d.releasePath(id), ledger.MaxReleaseCertificate)
	if err != nil {
		return ledger.Released{}, err
	}
	if r, err := ledger.ReadReleaseCertificate(cert); err != nil || r.CID() != id {
		return ledger.Released{}, fmt.Errorf("release %s: %w", id, ErrCorrupt)
	}
	out := ledger.Released{V: 1, Cert: cert}
	if !undone {
		return out, nil
	}
	undo, err := readFile(d.undoPath(id), ledger.MaxUndoCertificate)
	if err != nil {
		return ledger.Released{}, err
	}
	if u, err := ledger.ReadUndoCertificate(undo); err != nil || u.Release != id {
		return ledger.Released{}, fmt.Errorf("undo of release %s: %w", id, ErrCorrupt)
	}
	out.Undo = undo
	return out, nil
}
