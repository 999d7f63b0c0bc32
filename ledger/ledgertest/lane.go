package ledgertest

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Lane is one writer's chain. It knows its head; Next does not move it, Advance does.
type Lane struct {
	Vault  *Vault
	Key    ident.PrivateKey
	Height int64
	Head   ident.CID
	Count  int64      // of segments introduced
	Set    ledger.Set // of the last snapshot
}

// Step is one entry and what its writer sends with it.
type Step struct {
	Signed   ident.Signed
	Entry    ledger.Entry
	Body     []byte
	Proposal ident.Signed
	segments int64
	set      ledger.Set
}

// OwnerLane returns the owner's lane before its first entry.
func (v *Vault) OwnerLane() *Lane { return v.Lane(v.Owner) }

// Lane returns a key's lane before its first entry.
func (v *Vault) Lane(key ident.PrivateKey) *Lane {
	return &Lane{Vault: v, Key: key, Set: ledger.Set{Lane: key.Public()}}
}

// Draft returns the entry after the lane's head, for a body.
func (l *Lane) Draft(kind ledger.Kind, body []byte) ledger.Entry {
	return ledger.Entry{
		Vault: l.Vault.ID(), Charter: l.Vault.Charter.CID(), Height: l.Height + 1, Prev: l.Head,
		Kind: kind, Body: ident.SumDagCBOR(body), Clock: ledger.Millis(Start()),
	}
}

// Sign signs an entry and the proposal for it.
func (l *Lane) Sign(e ledger.Entry, body []byte) Step {
	s := Step{Signed: must(ledger.SignEntry(l.Key, e)), Body: body}
	s.Entry = must(ledger.VerifyEntry(s.Signed))
	s.Proposal = must(ledger.SignProposal(l.Key, s.Propose()))
	return s
}

// Propose returns the proposal for a step, not signed.
func (s Step) Propose() ledger.Proposal {
	e := s.Entry
	return ledger.Proposal{Place: ledger.Place{Vault: e.Vault, Charter: e.Charter, Lane: e.Lane, Height: e.Height}, Entry: e.CID()}
}

// Enrol makes the entry that makes a device of a key.
func (l *Lane) Enrol(grant ident.Signed) Step {
	body := must(ledger.EnrolBody{Grant: grant}.Encode())
	return l.Sign(l.Draft(ledger.KindEnrol, body), body)
}

// Revoke makes the entry that takes a device's rights.
func (l *Lane) Revoke(device ident.PublicKey) Step {
	body := must(ledger.RevokeBody{Device: device}.Encode())
	return l.Sign(l.Draft(ledger.KindRevoke, body), body)
}

// Snapshot makes the entry of a valid commit of some segments. The tag tells one
// commit from another.
func (l *Lane) Snapshot(tag string, segments int) Step {
	c := l.Commit(tag, segments)
	return l.Finish(c)
}

// Finish makes the entry of a commit.
func (l *Lane) Finish(c *Commit) Step {
	body := c.Encode()
	e := l.Draft(ledger.KindSnapshot, body)
	e.Source = c.Source
	s := l.Sign(e, body)
	s.segments = int64(len(c.Body.Segments))
	s.set, _ = c.Refs.Resolve(l.Key.Public(), s.Entry.CID(), l.Set)
	return s
}

// Advance makes a step the lane's head.
func (l *Lane) Advance(s Step) {
	l.Height, l.Head = s.Entry.Height, s.Entry.CID()
	l.Count += s.segments
	if s.Entry.Kind == ledger.KindSnapshot {
		l.Set = s.set
	}
}
