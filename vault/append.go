package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Final is an entry that a quorum has on disk.
type Final struct {
	Link    Link
	Acks    int // members that have the certificate
	Members int
}

// OnAll reports whether every member has it.
func (f Final) OnAll() bool { return f.Acks == f.Members }

// draft is an entry before it is certified. It is on disk before the first member
// sees it: a writer that comes back offers the same entry again, never another one
// at its height.
type draft struct {
	V     int64        `cbor:"v"`
	Entry ident.Signed `cbor:"entry"`
	Body  []byte       `cbor:"body"`
}

const draftName = "draft"

func (s *Session) draftPath() string {
	return filepath.Join(s.home.vaultDir(s.profile.Name), draftName)
}

// append adds an entry to a lane: it is signed, kept as a draft, voted for by a
// quorum, certified, and stored by a quorum. The lane's head is the one of the last
// Sync. Only an entry that comes back from here has been acknowledged. What stands in
// the body of a snapshot or a charter counts from the head: only another entry is made
// again when one of an interrupted run comes first.
func (s *Session) append(ctx context.Context, key ident.PrivateKey, e ledger.Entry, body []byte) (Final, error) {
	for {
		signed, err := s.sign(key, e, body)
		if err != nil {
			return Final{}, fmt.Errorf("append entry: %w", err)
		}
		if err := s.keepDraft(draft{V: 1, Entry: signed, Body: body}); err != nil {
			return Final{}, fmt.Errorf("append entry: %w", err)
		}
		final, err := s.offer(ctx, key, signed, body)
		switch {
		case errors.Is(err, ErrGivenUp):
			return Final{}, errors.Join(err, s.dropDraft())
		case errors.Is(err, ErrOvertaken) && e.Kind != ledger.KindSnapshot && e.Kind != ledger.KindCharter:
			continue
		}
		return final, err
	}
}

// sign puts an entry on top of its lane.
func (s *Session) sign(key ident.PrivateKey, e ledger.Entry, body []byte) (ident.Signed, error) {
	head, _ := s.history.head(key.Public())
	e.Vault, e.Charter = s.vault, s.charter.CID()
	e.Height, e.Prev = head.Entry.Height+1, head.CID
	e.Body, e.Clock = ident.SumDagCBOR(body), s.options.Now().UnixMilli()
	return ledger.SignEntry(key, e)
}

// offer makes an entry final, and removes its draft then. If another entry of the lane
// has to come first, it makes that one final, and the error is ErrOvertaken.
func (s *Session) offer(ctx context.Context, key ident.PrivateKey, signed ident.Signed, body []byte) (Final, error) {
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		return Final{}, fmt.Errorf("offer entry: %w", err)
	}
	o := s.newOffering(key, e, signed, body)
	d, err := o.run(ctx)
	if err != nil {
		return Final{}, fmt.Errorf("append entry %d: %w", e.Height, err)
	}
	f, err := s.made(d)
	if err == nil && d.entry.Kind == ledger.KindCharter {
		err = s.succeed(ctx, d.final())
	}
	if err == nil && d.entry.CID() != e.CID() {
		s.settle()
		return Final{}, fmt.Errorf("append entry %d: %w: %.8s", e.Height, ErrOvertaken, d.entry.CID().Hex())
	}
	return f, err
}

// made takes a final entry into the history. Its draft is removed, with what else is
// left for later.
func (s *Session) made(d *decision) (Final, error) {
	e, body := d.entry, d.link.Body
	encoded, err := ledger.Link{V: 1, Entry: d.link.Entry, Cert: d.cert}.Encode()
	if err != nil {
		return Final{}, err
	}
	l := Link{CID: e.CID(), Entry: e, Time: d.certificate.Time()}
	if err := s.history.next(e); err == nil {
		s.history.add(l)
		if e.Lane == s.charter.Owner {
			err = s.applyBody(l, body)
		}
	}
	s.proofs = map[ident.CID][]ident.Signed{}
	if d.place.Attempt > 0 {
		s.proofs[l.CID] = d.acks
	}
	heads := s.history.heads()
	s.later.do(func() error {
		s.history.keepBody(l, body)
		s.history.keep(e, encoded)
		if _, err := s.home.remember(s.profile.Name, heads); err != nil {
			return fmt.Errorf("remember the heads: %w", err)
		}
		return s.dropDraft()
	})
	return Final{l, len(d.acks), len(s.charter.Members)}, nil
}

// voteOf asks one member for its vote; one that is behind, or has a head that lost its
// place, is brought up to date first.
func (s *Session) voteOf(ctx context.Context, m ledger.Member, at ledger.Place, proposal ident.Signed, l ledger.Link) (ident.Signed, error) {
	vote, err := s.member(m).Propose(ctx, s.vault, proposal, l.Entry, l.Body)
	if errors.Is(err, ledger.ErrBehind) || errors.Is(err, ledger.ErrFork) {
		if err := s.bringUp(ctx, m, at.Lane); err != nil {
			return vote, fmt.Errorf("bring %s up to date: %w", m.Name, err)
		}
		vote, err = s.member(m).Propose(ctx, s.vault, proposal, l.Entry, l.Body)
	}
	if err != nil {
		return vote, err
	}
	v, err := ledger.VerifyVote(vote, s.charter)
	if err != nil {
		return vote, err
	}
	if v.Operator != m.Operator || v.Place != at || v.Entry != l.Entry.CID() {
		return vote, fmt.Errorf("vote of %s: %w", m.Name, ErrFork)
	}
	return vote, nil
}

// bringUp hands a member what it lacks of the owner's lane and of a lane; of all lanes
// for an entry of the owner's.
func (s *Session) bringUp(ctx context.Context, m ledger.Member, lane ident.PublicKey) error {
	h, err := s.headsOf(ctx, m, [16]byte{})
	if err != nil {
		return err
	}
	lanes := []ident.PublicKey{s.charter.Owner, lane}
	if lane == s.charter.Owner { // a charter takes every lane for granted
		lanes = slices.Collect(maps.Keys(s.history.lanes))
	}
	for _, l := range lanes {
		if err := s.catchUp(ctx, m, l, s.below(h.Lane(l))); err != nil {
			return err
		}
	}
	return nil
}

// keepDraft writes a draft. What is left to do for the entry before it, the removal
// of its own draft among that, is done first.
func (s *Session) keepDraft(d draft) error {
	s.settle()
	data, err := wire.Encode(d)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(s.draftPath(), data, 0o600)
}

func (s *Session) dropDraft() error {
	if err := os.Remove(s.draftPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// resume finishes what an interrupted run has begun: the draft of this machine, or
// an entry of this lane on which a member holds a lock. It is called before a new
// entry is made.
func (s *Session) resume(ctx context.Context) error {
	data, err := readLimited(s.draftPath(), ledger.MaxBody+linkLimit)
	if errors.Is(err, os.ErrNotExist) {
		return s.resumeLocked(ctx, s.profile.Device)
	}
	if err != nil {
		return fmt.Errorf("read draft: %w", err)
	}
	var d draft
	if err := wire.Decode(data, &d); err != nil {
		s.warn("the draft of an interrupted run is damaged and was dropped")
		return errors.Join(s.dropDraft(), s.resumeLocked(ctx, s.profile.Device))
	}
	return s.resumeEntry(ctx, s.profile.Device, d.Entry, d.Body)
}

// resumeEntry offers an entry again unless its height is taken.
func (s *Session) resumeEntry(ctx context.Context, key ident.PrivateKey, signed ident.Signed, body []byte) error {
	e, err := ledger.VerifyEntry(signed)
	if err != nil || e.Lane != key.Public() || e.Vault != s.vault || e.Height <= s.history.height(e.Lane) {
		return s.dropDraft()
	}
	if e.Charter != s.charter.CID() { // it is above the start of the charter in force, and void
		s.warn("the charter has changed since an interrupted run; its data is sent again")
		return s.dropDraft()
	}
	defer s.settle()
	_, err = s.offer(ctx, key, signed, body)
	switch {
	case errors.Is(err, ErrGivenUp):
		s.warn("an interrupted run could not be finished (%v); its data is sent again", err)
		return s.dropDraft()
	case err != nil && !errors.Is(err, ErrOvertaken):
		return fmt.Errorf("finish an interrupted run: %w", err)
	}
	return nil
}

// openLock returns a member's lock above the head of a lane, or none.
func (s *Session) openLock(h ledger.Heads, lane ident.PublicKey) ledger.Lock {
	if l := h.Lane(lane).Lock; l.Height > s.history.height(lane) {
		return l
	}
	return ledger.Lock{}
}

// resumeLocked finds an entry of a lane that members have locked and nobody has
// certified: its key signed it and the draft is lost.
func (s *Session) resumeLocked(ctx context.Context, key ident.PrivateKey) error {
	for _, a := range s.heard {
		if a.Err != nil {
			continue
		}
		lock := s.openLock(a.Value, key.Public())
		if lock == (ledger.Lock{}) {
			continue
		}
		link, err := s.lockedEntry(ctx, a.Member, lock.Entry)
		if err != nil {
			s.warn("%s holds an entry of an interrupted run and did not hand it out: %v", a.Member.Name, err)
			continue
		}
		return s.resumeEntry(ctx, key, link.Entry, link.Body)
	}
	return nil
}
