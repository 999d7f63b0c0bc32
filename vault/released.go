package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// releases is what this machine has seen certified of what the vault let go of. Each
// certificate was verified: a member can hide one, and cannot invent one. The file
// behind it is a cache; what it holds is verified again when it is read.
type releases struct {
	path     string
	seen     map[ident.PublicKey]int64 // member's node -> the number of the last it has shown
	certs    map[ident.CID]*released   // by the releases' names
	requests map[ident.CID]ident.Signed

	// What follows from the above, of all that was not taken back.
	segments  map[ident.CID]bool      // that are gone, or will be
	forgotten map[ident.CID]ident.CID // snapshot's entry -> the request that forgot it
}

// released is one certified release.
type released struct {
	cert, undo []byte // the latter nil unless it was taken back
	release    ledger.Release
}

func newReleases(dir string) *releases {
	return &releases{
		path: filepath.Join(dir, releasesName), seen: map[ident.PublicKey]int64{}, certs: map[ident.CID]*released{},
		requests: map[ident.CID]ident.Signed{}, segments: map[ident.CID]bool{}, forgotten: map[ident.CID]ident.CID{},
	}
}

// releasesFile is the form in which they are kept.
type releasesFile struct {
	V        int64          `cbor:"v"`
	Seen     []releasesSeen `cbor:"seen"`
	Released []releasedFile `cbor:"released"`
	Requests []ident.Signed `cbor:"requests"`
}

type releasesSeen struct {
	Node ident.PublicKey `cbor:"node"`
	Seq  int64           `cbor:"seq"`
}

type releasedFile struct {
	Cert ledger.Raw `cbor:"cert"`
	Undo ledger.Raw `cbor:"undo,omitzero"`
}

const (
	releasesName    = "releases"
	releasesVersion = 1
	releasesLimit   = 1 << 30
)

// charterBy finds one of a vault's charters.
type charterBy func(ident.CID) (ledger.Charter, bool)

// take verifies one release that a member shows, and reports whether it is news.
func (r *releases) take(cert, undo []byte, charters charterBy) (news bool, err error) {
	said, err := ledger.ReadReleaseCertificate(cert)
	if err != nil {
		return false, err
	}
	have := r.certs[said.CID()]
	if have == nil {
		ch, ok := charters(said.Charter)
		if !ok {
			return false, fmt.Errorf("release %s: %w", said.CID(), ledger.ErrCharter)
		}
		c, err := ledger.VerifyReleaseCertificate(cert, ch)
		if err != nil {
			return false, err
		}
		have = &released{cert: cert, release: c.Released()}
		r.certs[said.CID()], news = have, true
	}
	if len(undo) == 0 || have.undo != nil {
		return news, nil
	}
	u, err := ledger.ReadUndoCertificate(undo)
	if err == nil && u.Release != said.CID() {
		err = fmt.Errorf("release %s: %w: another one was taken back", said.CID(), ledger.ErrMismatch)
	}
	if err != nil {
		return news, err
	}
	ch, ok := charters(u.Charter)
	if !ok {
		return news, fmt.Errorf("undo of release %s: %w", u.Release, ledger.ErrCharter)
	}
	if _, err := ledger.VerifyUndoCertificate(undo, ch); err != nil {
		return news, err
	}
	have.undo = undo
	return true, nil
}

// conclude draws the conclusions anew.
func (r *releases) conclude() {
	r.segments, r.forgotten = map[ident.CID]bool{}, map[ident.CID]ident.CID{}
	for _, c := range r.certs {
		if c.undo != nil {
			continue
		}
		for _, id := range c.release.Segments {
			r.segments[id] = true
		}
		request, err := ledger.VerifyRequest(r.requests[c.release.Request], c.release.Vault)
		if err != nil {
			continue // it is asked for anew
		}
		for _, entry := range request.Targets {
			r.forgotten[entry] = request.CID()
		}
	}
}

// unexplained reports whether a release is of a request that is not here.
func (r *releases) unexplained() bool {
	for _, c := range r.certs {
		if _, ok := r.requests[c.release.Request]; !ok {
			return true
		}
	}
	return false
}

// explain takes in a request if a release names it.
func (r *releases) explain(signed ident.Signed) bool {
	id := signed.CID()
	if _, ok := r.requests[id]; ok {
		return false
	}
	for _, c := range r.certs {
		if c.release.Request == id {
			r.requests[id] = signed
			return true
		}
	}
	return false
}

// read takes the file in, as far as it verifies.
func (r *releases) read(charters charterBy) {
	var f releasesFile
	p, err := readLimited(r.path, releasesLimit)
	if err != nil || wire.DecodeVersion(p, releasesVersion, &f) != nil {
		return
	}
	for _, c := range f.Released {
		if _, err := r.take(c.Cert, c.Undo, charters); err != nil {
			return // what a member's numbers leave out is asked for anew
		}
	}
	for _, s := range f.Requests {
		r.explain(s)
	}
	for _, s := range f.Seen {
		r.seen[s.Node] = s.Seq
	}
	r.conclude()
}

// keep writes the file. A failure costs a download later, no more.
func (r *releases) keep() {
	f := releasesFile{V: releasesVersion, Seen: []releasesSeen{}, Released: []releasedFile{}, Requests: []ident.Signed{}}
	for node, seq := range r.seen {
		f.Seen = append(f.Seen, releasesSeen{node, seq})
	}
	for _, c := range r.certs {
		f.Released = append(f.Released, releasedFile{c.cert, c.undo})
	}
	for _, s := range r.requests {
		f.Requests = append(f.Requests, s)
	}
	p, err := wire.Encode(f)
	if err == nil && os.MkdirAll(filepath.Dir(r.path), 0o700) == nil {
		writeCache(r.path, p)
	}
}

// shownReleased is what one member shows behind the number that it showed last.
type shownReleased struct {
	list []ledger.Released
	seq  int64
}

// askReleased begins to ask every member what was released since it was asked last.
// What it returns waits for the answers, and must be called.
func (c council) askReleased(ctx context.Context, r *releases) func() []answer[shownReleased] {
	from := maps.Clone(r.seen)
	answers := make(chan []answer[shownReleased], 1)
	go func() {
		wait := quorumWait{Enough: len(c.charter.Members), Grace: askGrace, Limit: askLimit}
		answers <- gather(ctx, c.charter.Members, wait, func(ctx context.Context, m ledger.Member) (shownReleased, error) {
			list, seq, err := releasedBy(ctx, c.member(m), c.charter.ID(), from[m.Node])
			return shownReleased{list, seq}, err
		})
	}()
	return func() []answer[shownReleased] { return <-answers }
}

// learn takes in what members have shown, as far as it is proved, and looks for the
// requests that it is about. It reports whether anything is new.
func (c council) learn(ctx context.Context, r *releases, shown []answer[shownReleased], charters charterBy) (news bool, err error) {
	for _, a := range shown {
		if a.Value.seq > r.seen[a.Member.Node] {
			r.seen[a.Member.Node], news = a.Value.seq, true
		}
		for _, one := range a.Value.list {
			if _, failed := r.take(one.Cert, one.Undo, charters); failed != nil {
				err = errors.Join(err, fmt.Errorf("%s shows a release that does not verify: %w", a.Member.Name, failed))
			}
		}
	}
	if news || r.unexplained() {
		c.explain(ctx, r)
		r.conclude()
		news = true
	}
	return news, err
}

// explain looks for the requests of releases. One that nobody shows leaves its
// snapshots in the list, and its segments out of what is counted on.
func (c council) explain(ctx context.Context, r *releases) {
	for _, m := range c.charter.Members {
		if !r.unexplained() || ctx.Err() != nil {
			return
		}
		cases, _ := c.casesOf(ctx, c.member(m)) // the next member may know what this one does not
		for _, k := range cases {
			r.explain(k.Request)
		}
	}
}

// releasedBy fetches what one member has to show behind a number.
func releasedBy(ctx context.Context, m seat, vault ident.CID, seq int64) (out []ledger.Released, last int64, err error) {
	for last = seq; ; {
		page, err := m.Released(ctx, vault, last+1, ledgerrpc.MaxReleased)
		if err != nil || len(page) == 0 {
			return out, last, err
		}
		for _, p := range page {
			one, err := ledger.ParseReleased(p)
			if err == nil && one.Seq <= last {
				err = ErrFork
			}
			if err != nil {
				return out, last, err
			}
			out, last = append(out, one), one.Seq
		}
	}
}

// takeReleased takes in what the members have shown to a session.
func (s *Session) takeReleased(ctx context.Context, shown []answer[shownReleased]) {
	news, err := s.council().learn(ctx, s.releases, shown, s.charterNamed)
	if err != nil {
		s.warn("%v", err)
	}
	if news {
		s.releases.keep()
	}
	s.avoid()
}

// syncReleases asks all members what was released since they were asked last.
func (s *Session) syncReleases(ctx context.Context) {
	s.takeReleased(ctx, s.council().askReleased(ctx, s.releases)())
}

// isForgotten reports whether a certified release has forgotten a snapshot.
func (s *Session) isForgotten(entry ident.CID) bool {
	_, ok := s.releases.forgotten[entry]
	return ok
}
