package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Carried is what has become of a request that was carried out.
type Carried struct {
	Request  ident.CID
	Releases []ident.CID // that were certified now
	Segments int         // in them
	Kept     int         // segments that members did not find free after all
}

// carryOut drives a request that has passed to its end: it asks what is free, proposes
// it in explicit lists, collects consents, and hands each certificate to all members.
// Nothing of it is remembered here. Whoever is stopped at any line begins again: what
// is certified is no longer free, and what was consented to is proposed once more.
//
// A request whose targets hold nothing for themselves ends in a release without
// segments, which forgets them.
func (c council) carryOut(ctx context.Context, k Case) (Carried, error) {
	out := Carried{Request: k.Request.CID()}
	kept := map[ident.CID]bool{}
	for {
		segments, err := c.free(ctx, out.Request, kept)
		if err == nil && len(segments) == 0 && (len(out.Releases) > 0 || k.State == ledger.StateCertified) {
			break
		}
		if err == nil {
			err = c.release(ctx, k, segments, kept, &out)
		}
		if err != nil {
			return out, fmt.Errorf("carry out request %.8s: %w", k.ID(), err)
		}
	}
	out.Kept = len(kept)
	return out, nil
}

// release has one list of segments certified. What members name as not free after all
// is kept, and the rest is proposed again.
func (c council) release(ctx context.Context, k Case, segments []ident.CID, kept map[ident.CID]bool, out *Carried) error {
	for {
		consents, err := c.consents(ctx, k, segments)
		if err == nil {
			return c.certifyRelease(ctx, consents, segments, out)
		}
		for _, id := range namedBy(err, ledger.ErrNotFree) {
			kept[id] = true
		}
		rest := slices.DeleteFunc(slices.Clone(segments), func(id ident.CID) bool { return kept[id] })
		if len(rest) == len(segments) || ctx.Err() != nil {
			return err
		}
		if segments = rest; len(segments) == 0 {
			return nil
		}
	}
}

// consented is a release with what members said to it.
type consented struct {
	release []byte
	words   []ident.Signed
}

// consents proposes a release to all members. The error says why too few agree.
func (c council) consents(ctx context.Context, k Case, segments []ident.CID) (consented, error) {
	encoded, err := ledger.Release{Vault: c.charter.ID(), Charter: k.Request.Charter, Request: k.Request.CID(), Segments: segments}.Encode()
	if err != nil {
		return consented{}, err
	}
	name := ident.SumDagCBOR(encoded)
	answers := gather(ctx, c.charter.Members, quorumWait{Enough: c.quorum(), Grace: writeGrace, Limit: 2 * writeLimit},
		func(ctx context.Context, m ledger.Member) (ident.Signed, error) {
			word, err := c.member(m).Consent(ctx, c.charter.ID(), encoded)
			if err != nil {
				return word, err
			}
			w, err := ledger.VerifyConsent(word, c.charter, name)
			if err == nil && w.Operator != m.Operator {
				err = ErrFork
			}
			return word, err
		})
	out := consented{release: encoded}
	for _, a := range answers {
		if a.Err == nil {
			out.words = append(out.words, a.Value)
		}
	}
	if len(out.words) < c.quorum() {
		return out, refusal(answers, len(out.words), c.quorum())
	}
	return out, nil
}

// certifyRelease makes the certificate and hands it to all members; a quorum has to
// keep it.
func (c council) certifyRelease(ctx context.Context, w consented, segments []ident.CID, out *Carried) error {
	cert, made, err := ledger.NewReleaseCertificate(w.release, w.words, c.charter)
	if err != nil {
		return err
	}
	answers := gather(ctx, c.charter.Members, quorumWait{Enough: c.quorum(), Grace: writeGrace, Limit: writeLimit},
		func(ctx context.Context, m ledger.Member) (struct{}, error) {
			return struct{}{}, c.member(m).Release(ctx, c.charter.ID(), cert)
		})
	if kept := succeeded(answers); kept < c.quorum() {
		return refusal(answers, kept, c.quorum())
	}
	out.Releases = append(out.Releases, made.Released().CID())
	out.Segments += len(segments)
	return nil
}

// namedBy returns the segments that refusals of one kind name.
func namedBy(err, kind error) (named []ident.CID) {
	eachError(err, func(e error) {
		if s, ok := e.(*ledger.SegmentsError); ok && errors.Is(s.Err, kind) {
			named = append(named, s.Segments...)
		}
	})
	return named
}
