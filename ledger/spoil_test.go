package ledger_test

import (
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// regrant changes the device's grant as the member knows it.
func (a *attempt) regrant(change func(*ledger.Grant)) {
	g := a.view.grants[a.lane.Key.Public()]
	change(&g)
	a.view.grants[a.lane.Key.Public()] = g
}

// grant drafts a grant for a new device.
func (a *attempt) grant(name string) ledger.Grant {
	return ledger.Grant{
		Vault: a.vault.ID(), Device: ledgertest.Key(name).Public(), Rights: ledger.Full, Index: ledgertest.Recipient(),
	}
}

// ownerRevoked is the body that would take the owner's rights.
func ownerRevoked(a *attempt) []byte {
	return must(ledger.RevokeBody{Device: a.vault.Owner.Public()}.Encode())
}

// rebuildWithout makes the receipts leave out a segment that cannot be read.
func (a *attempt) rebuildWithout(s ledger.NewSegment) {
	all := a.commit.Body.Segments
	a.commit.Body.Segments = slices.DeleteFunc(slices.Clone(all), func(n ledger.NewSegment) bool {
		return slices.Equal(n.Descriptor, s.Descriptor)
	})
	a.commit.Promise(a.lane)
	a.commit.Body.Segments = all
}

// recode gives the first segment another code, one shard with each of the members.
func (a *attempt) recode(k, n int) {
	a.descriptor(0, func(d *erasure.Descriptor) { d.K, d.N, d.Shards = uint64(k), uint64(n), d.Shards[:n] })
	a.commit.Promise(a.lane)
}

// secondNode puts a shard on another node of the first holder's operator.
func (a *attempt) secondNode() {
	m := a.commit.Holders[0]
	m.Node, m.Vote = ledgertest.Key("second node"), ledgertest.Key("second vote")
	m.Certificate = must(ledger.SignNodeCertificate(m.Operator, m.Describe()))
	a.commit.Holders = append(slices.Clone(a.commit.Holders), m)
	a.place(0, 0, 1, 2, 4)
	a.commit.Promise(a.lane)
}

// stranger gives the last holder's shards to an operator that the charter does not name.
func (a *attempt) stranger() {
	a.commit.Holders = slices.Clone(a.commit.Holders)
	a.commit.Holders[3] = ledgertest.NewMember("stranger")
	a.commit.Promise(a.lane)
}

// admit makes the member know a charter that admits the stranger. Everything was
// signed for the other one, so the view is told that it still is in force.
func (a *attempt) admit() {
	a.view.charter.Admitted = []ident.PublicKey{ledgertest.NewMember("stranger").Operator.Public()}
}

// twice lists one holder in two rows.
func (a *attempt) twice() {
	a.commit.Holders = append(slices.Clone(a.commit.Holders), a.commit.Holders[0])
	a.commit.Body.Segments[1].Placement = []byte{4, 1, 2, 3}
	a.commit.Promise(a.lane)
}

// withVote makes a holder sign with another vote key than its certificate names.
func withVote(holders []ledgertest.Member, i int, vote ident.PrivateKey) []ledgertest.Member {
	holders = slices.Clone(holders)
	holders[i].Vote = vote
	return holders
}

// deepen makes the base the last of so many deltas.
func (a *attempt) deepen(deltas int) {
	base := a.view.refs[a.commit.Refs.Base]
	base.Depth = deltas
	a.view.refs[a.commit.Refs.Base] = base
}

// fullSet says the same as the delta in full.
func (a *attempt) fullSet() {
	set := must(a.commit.Refs.Resolve(a.lane.Key.Public(), ident.SumDagCBOR(nil), a.lane.Set))
	a.commit.Refs = set.Full()
}
