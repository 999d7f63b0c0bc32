package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store"
)

// learn asks the members of a vault which releases were certified, or taken back,
// since it last asked. What concerns nothing here is passed over; what does is
// verified under the charter that it names, and remembered. One honest member that
// answers is enough, and a lying one cannot make anything up.
func (r *released) learn(ctx context.Context, chain ledger.Chain) error {
	answers := askAll(ctx, chain.Current().Members, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		err := r.learnFrom(ctx, chain, m)
		if err != nil && ctx.Err() == nil {
			r.log.Debug("a member's releases are not taken", "member", m.Name, "error", err)
		}
		return struct{}{}, err
	})
	if len(answers) == 0 {
		return errSilent
	}
	return nil
}

// learnFrom goes through what is new with one member, a few pages at most: a later
// look goes on there.
func (r *released) learnFrom(ctx context.Context, chain ledger.Chain, m ledger.Member) error {
	for range releasedPages {
		var from int64
		err := r.volume.use(ctx, func(p *parts) error {
			from = p.book.cursor(chain.ID(), m.Operator)
			return nil
		})
		if err != nil {
			return err
		}
		page, err := r.witnesses.at(m.Node).Released(ctx, chain.ID(), from, releasedPage)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := r.volume.use(ctx, func(p *parts) error { return p.takeReleases(chain, m.Operator, page) }); err != nil {
			return err
		}
	}
	return nil
}

// takeReleases takes a page of a member's releases in, and remembers how far it came.
func (p *parts) takeReleases(chain ledger.Chain, operator ident.PublicKey, page [][]byte) error {
	var next int64
	var failed error
	for _, encoded := range page {
		r, err := ledger.ParseReleased(encoded)
		if err == nil {
			err = p.takeRelease(chain, r)
		}
		if err != nil {
			failed = fmt.Errorf("release: %w", err)
			break
		}
		next = r.Seq + 1
	}
	if next > 0 {
		failed = errors.Join(failed, p.book.setCursor(chain.ID(), operator, next))
	}
	return failed
}

var errManyReleases = errors.New("too many releases are followed already")

func (p *parts) takeRelease(chain ledger.Chain, r ledger.Released) error {
	release, err := ledger.ReadReleaseCertificate(r.Cert)
	if err != nil {
		return err
	}
	if release.Vault != chain.ID() {
		return fmt.Errorf("%w: release of vault %v", ledger.ErrMismatch, release.Vault)
	}
	k, known, err := p.book.release(chain.ID(), release.CID())
	if err != nil || known && k.Undone {
		return err
	}
	if len(r.Undo) > 0 {
		return p.takeUndo(chain, release, r.Undo)
	}
	if known {
		return nil
	}
	keys, err := p.book.keysOf(release)
	if err != nil || len(keys) == 0 {
		return err
	}
	return p.takeCertificate(chain, release, r.Cert)
}

// takeCertificate remembers a release. Its certificate proves as well that an entry
// has introduced its segments.
func (p *parts) takeCertificate(chain ledger.Chain, release ledger.Release, cert []byte) error {
	charter, ok := chain.At(release.Charter)
	if !ok {
		return fmt.Errorf("%w: %v", ledger.ErrCharter, release.Charter)
	}
	if _, err := ledger.VerifyReleaseCertificate(cert, charter); err != nil {
		return err
	}
	followed, err := p.book.releases(chain.ID(), false)
	if err == nil && len(followed) >= maxReleases {
		err = errManyReleases
	}
	if err == nil {
		err = errors.Join(p.book.certified(chain.ID(), release.Segments), p.book.flush())
	}
	if err != nil {
		return err
	}
	return p.book.keepRelease(chain.ID(), release.CID(), cert)
}

// takeUndo remembers that a release was taken back.
func (p *parts) takeUndo(chain ledger.Chain, release ledger.Release, cert []byte) error {
	u, err := ledger.ReadUndoCertificate(cert)
	if err != nil {
		return err
	}
	charter, ok := chain.At(u.Charter)
	if !ok {
		return fmt.Errorf("%w: %v", ledger.ErrCharter, u.Charter)
	}
	u, err = ledger.VerifyUndoCertificate(cert, charter)
	if err == nil && u.Release != release.CID() {
		err = fmt.Errorf("%w: undo of release %v", ledger.ErrMismatch, u.Release)
	}
	if err != nil {
		return err
	}
	return p.book.undoRelease(chain.ID(), release.CID())
}

// keysOf returns the shards of a release that are in the book, on the shelf or in the
// trash.
func (b *book) keysOf(release ledger.Release) (keys []store.Key, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range release.Segments {
		of, err := b.shardsOf(release.Vault, s)
		if err != nil {
			return nil, err
		}
		for _, k := range of {
			if _, known, err := b.lookup(k); err != nil {
				return nil, err
			} else if known {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, store.Key.Compare)
	return slices.Compact(keys), nil
}
