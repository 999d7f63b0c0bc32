package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
// Sync. Only an entry that comes back from here has been acknowledged.
func (s *Session) append(ctx context.Context, key ident.PrivateKey, e ledger.Entry, body []byte) (Final, error) {
	signed, err := s.sign(key, e, body)
	if err != nil {
		return Final{}, fmt.Errorf("append entry: %w", err)
	}
	if err := s.keepDraft(draft{V: 1, Entry: signed, Body: body}); err != nil {
		return Final{}, fmt.Errorf("append entry: %w", err)
	}
	return s.offer(ctx, key, signed, body)
}

// sign puts an entry on top of its lane.
func (s *Session) sign(key ident.PrivateKey, e ledger.Entry, body []byte) (ident.Signed, error) {
	head, _ := s.history.head(key.Public())
	e.Vault, e.Charter = s.vault, s.charter.CID()
	e.Height, e.Prev = head.Entry.Height+1, head.CID
	e.Body, e.Clock = ident.SumDagCBOR(body), s.options.Now().UnixMilli()
	return ledger.SignEntry(key, e)
}

// offer takes an entry through both phases, and removes its draft when it is final.
func (s *Session) offer(ctx context.Context, key ident.PrivateKey, signed ident.Signed, body []byte) (Final, error) {
	e, err := ledger.VerifyEntry(signed)
	if err != nil {
		return Final{}, fmt.Errorf("offer entry: %w", err)
	}
	d, acks, err := s.decide(ctx, key, e, signed, body)
	if err != nil {
		return Final{}, fmt.Errorf("append entry %d: %w", e.Height, err)
	}
	encoded, err := ledger.Link{V: 1, Entry: signed, Cert: d.cert}.Encode()
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
	heads := s.history.heads()
	s.later.do(func() error {
		s.history.keepBody(l, body)
		s.history.keep(e, encoded)
		if _, err := s.home.remember(s.profile.Name, heads); err != nil {
			return fmt.Errorf("remember the heads: %w", err)
		}
		return s.dropDraft()
	})
	return Final{l, acks, len(s.charter.Members)}, nil
}

// voteOf asks one member for its vote; one that is behind is brought up to date
// first.
func (s *Session) voteOf(ctx context.Context, m ledger.Member, e ledger.Entry, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	vote, err := s.member(m).Propose(ctx, s.vault, proposal, entry, body)
	if errors.Is(err, ledger.ErrBehind) {
		if err := s.bringUp(ctx, m, e.Lane); err != nil {
			return vote, fmt.Errorf("bring %s up to date: %w", m.Name, err)
		}
		vote, err = s.member(m).Propose(ctx, s.vault, proposal, entry, body)
	}
	if err != nil {
		return vote, err
	}
	v, err := ledger.VerifyVote(vote, s.charter)
	if err != nil {
		return vote, err
	}
	if v.Operator != m.Operator || v.Entry != e.CID() {
		return vote, fmt.Errorf("vote of %s: %w", m.Name, ErrFork)
	}
	return vote, nil
}

// bringUp hands a member what it lacks of the owner's lane and of a lane.
func (s *Session) bringUp(ctx context.Context, m ledger.Member, lane ident.PublicKey) error {
	var nonce [16]byte
	signed, err := s.member(m).Heads(ctx, s.vault, nonce)
	if err != nil {
		return err
	}
	h, err := ledger.VerifyHeads(signed, s.charter, m, nonce)
	if err != nil {
		return err
	}
	for _, l := range []ident.PublicKey{s.charter.Owner, lane} {
		if err := s.catchUp(ctx, m, l, laneHeight(h, l)); err != nil {
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
	defer s.settle()
	if _, err := s.offer(ctx, key, signed, body); err != nil {
		if hopeless(err, s.charter) && !s.lockedSomewhere(e.Lane) {
			s.warn("an interrupted run could not be finished (%v); its data is sent again", err)
			return s.dropDraft()
		}
		return fmt.Errorf("finish an interrupted run: %w", err)
	}
	return nil
}

// lockedSomewhere reports whether a member that answered holds a lock in a lane.
func (s *Session) lockedSomewhere(lane ident.PublicKey) bool {
	for _, a := range s.heard {
		if a.Err == nil && s.openLock(a.Value, lane) != (ledger.Lock{}) {
			return true
		}
	}
	return false
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
