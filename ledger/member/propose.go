package member

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Propose judges a proposal and returns this member's vote. Before it signs, the
// entry with its body and the lock are on the disk: in the database, by one
// transaction, or a large body in a file.
// The same proposal gets the same vote, whenever it is repeated; another entry at a
// place that is locked is ErrLocked, and both proposals are kept as evidence. What is
// refused because of where the lane stands is a *StateError.
func (s *Store) Propose(vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	p, err := ledger.VerifyProposal(proposal)
	if err != nil {
		return ident.Signed{}, err
	}
	e, err := ledger.VerifyEntry(entry)
	if err != nil {
		return ident.Signed{}, err
	}
	if p.Vault != v.id || p.Charter != v.inForce().CID() {
		return ident.Signed{}, fmt.Errorf("%w: %s", ledger.ErrCharter, p.Charter)
	}
	if err := p.Bind(v.inForce()); err != nil {
		return ident.Signed{}, err
	}
	r := &request{vault: v, proposal: p, asked: proposal, entry: e, signed: entry, body: body}
	l, err := r.vote()
	if errors.Is(err, ErrLocked) {
		err = errors.Join(err, v.equivocated(p, proposal))
	}
	if err != nil {
		return ident.Signed{}, v.explain(p.Place, err)
	}
	return ledger.SignVote(v.voteKey(), ledger.Vote{Place: p.Place, Entry: l.entry, Operator: s.cfg.Operator, Clock: l.clock})
}

// request is a proposal whose signatures are verified, and what is found out about it.
type request struct {
	vault    *vault
	proposal ledger.Proposal
	asked    ident.Signed // the proposal
	entry    ledger.Entry
	signed   ident.Signed // the entry
	body     []byte
	receipts receipts

	lock  lock // that is held for it already
	held  bool
	state ledger.LaneState // after the vote
	known bool             // the entry is here, with its body
	eff   ledger.Effect
	count int64 // segments that the lane will have introduced
}

// vote returns the lock that a vote may be signed for. It is on the disk.
func (r *request) vote() (lock, error) {
	v := r.vault
	seen := v.seen()
	if err := v.read(r.judge); err != nil || r.held {
		return r.lock, err
	}
	size := int64(0)
	if !r.known && len(r.body) > maxHeld {
		var err error
		if size, err = v.dirs.writeEntry(r.entry.CID(), ledger.Link{Entry: r.signed, Body: r.body}); err != nil {
			return lock{}, fmt.Errorf("keep entry: %w", err)
		}
	}
	err := v.change(func(x index) error {
		if v.unchanged(seen) {
			return nil
		}
		return r.judge(x)
	}, func(x index) error { return r.keep(x, size) })
	if err != nil {
		return lock{}, fmt.Errorf("lock entry: %w", err)
	}
	return r.lock, nil
}

// judge decides about a proposal by the lane's state, the ledger's rules and this
// member's limits. A vote that was given before is given again.
func (r *request) judge(x index) error {
	v, p := r.vault, r.proposal
	var err error
	if r.lock, r.held, err = x.lockAt(p.Place); err != nil {
		return err
	}
	r.held = r.held && r.lock.entry == p.Entry
	was, err := v.laneState(x, p.Charter, p.Lane)
	if err != nil {
		return err
	}
	r.state, err = was.Vote(ledger.Ballot{Height: p.Height, Attempt: p.Attempt, Entry: p.Entry, Prev: r.entry.Prev}, p.Bound(), p.Final().Defined() && p.Final() == r.entry.Prev)
	if err != nil || r.held {
		return err
	}
	view := &view{index: x, vault: v, charter: v.inForce(), lane: p.Lane, height: p.Height, state: was, certs: &v.store.certs, receipts: &r.receipts}
	r.eff, err = ledger.CheckProposal(view, p, r.entry, r.body, v.store.cfg.Now())
	before, _ := view.Numbered(p.Lane, r.entry.Prev)
	r.count = before + int64(len(r.eff.Segments))
	if view.err != nil {
		return view.err
	}
	if err != nil {
		return err
	}
	if _, r.known, err = x.entry(p.Entry); err != nil {
		return err
	}
	return v.checkLimits(x, r.eff)
}

// keep writes down the lock and, unless it is here, the entry with its body.
func (r *request) keep(x index, size int64) error {
	if r.held {
		return nil // another call was faster
	}
	p := r.proposal
	r.lock = lock{p.Entry, ledger.Millis(r.vault.store.cfg.Now())}
	if err := errors.Join(x.putLock(p.Place, r.lock), x.putFloors(p.Charter, p.Lane, r.state), x.putProposal(p.Place, r.asked)); err != nil {
		return err
	}
	if err := r.vault.freezeFor(x, r.entry); err != nil {
		return err
	}
	if r.known {
		return x.introduce(p.Entry, r.eff.Segments, r.count-int64(len(r.eff.Segments)))
	}
	if size == 0 {
		if err := x.put(heldBucket, p.Entry.Bytes(), r.body); err != nil {
			return err
		}
	}
	return x.putLink(r.entry, ledger.Link{Entry: r.signed}, r.eff, record{Count: r.count, Size: size, Seen: r.lock.clock})
}

// maxProposal bounds a proposal that is kept: with a second one it makes evidence.
const maxProposal = 128 << 10

// putProposal keeps what was voted for as its writer has signed it.
func (x index) putProposal(at ledger.Place, s ident.Signed) error {
	if len(s.Object) > maxProposal {
		return nil
	}
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	return x.put(proposalsBucket, lockKey(at), p)
}

func (v *vault) checkLimits(x index, eff ledger.Effect) error {
	if n := x.number(aboutEntries); n >= int64(v.store.cfg.MaxEntries) {
		return fmt.Errorf("%w: %d entries", ErrFull, n)
	}
	if eff.Enrolled.IsZero() || x.get(grantsBucket, eff.Grant.Device.Bytes()) != nil {
		return nil
	}
	if n := x.bucket(grantsBucket).Stats().KeyN; n >= MaxDevices {
		return fmt.Errorf("%w: %d devices", ErrFull, n)
	}
	return nil
}
