package node

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// This file holds the rule of when a holder goes on with a release.
//
// SPEC: before trashing and again before erasing they ask the members of the newest
// charter they can find, with a nonce, and go on only if n-q+f+1 confirm the charter,
// the release, and no undo.

// confirmation is what members said of one release, all of them with the newest
// charter in force.
type confirmation struct {
	members   int // of the charter
	certified int // say that it is certified and not taken back
	past      int // of these, whose clocks are past the time in which they would take it back
	undone    int // say that it was taken back
	elsewhere int // name another charter, and do not count
}

// mayTrash reports whether its shards may go to the trash.
func (c confirmation) mayTrash() bool { return c.certified >= ledger.Proven(c.members) }

// mayErase reports whether its shards may be erased, as far as the members can say:
// so many are past the time that no quorum can take the release back any more.
func (c confirmation) mayErase() bool { return c.past >= ledger.Proven(c.members) }

// count takes one member's verified answer in.
func (c *confirmation) count(newest ledger.Charter, a ledger.Standing) {
	if a.Charter != newest.CID() {
		c.elsewhere++
		return
	}
	switch st := a.States[0]; st.State {
	case ledger.ReleaseCertified:
		c.certified++
		if a.Clock >= st.Until {
			c.past++
		}
	case ledger.ReleaseUndone:
		c.undone++
	}
}

// confirm asks all members of the newest charter about a release.
func (r *released) confirm(ctx context.Context, chain ledger.Chain, release ident.CID) (confirmation, error) {
	charter := chain.Current()
	nonce, err := newNonce()
	if err != nil {
		return confirmation{}, err
	}
	asked := []ident.CID{release}
	answers := askAll(ctx, charter.Members, func(ctx context.Context, m ledger.Member) (ledger.Standing, error) {
		signed, err := r.witnesses.at(m.Node).Standing(ctx, charter.ID(), nonce, asked)
		if err != nil {
			return ledger.Standing{}, err
		}
		a, err := ledger.VerifyStanding(signed, charter, m, nonce, asked)
		if err != nil {
			r.log.Warn("a member's answer does not verify", "member", m.Name, "error", err)
		}
		return a, err
	})
	c := confirmation{members: len(charter.Members)}
	for _, a := range answers {
		c.count(charter, a.what)
	}
	return c, nil
}
