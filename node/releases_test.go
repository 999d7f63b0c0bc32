package node

import (
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// A request goes its way at a member, in a vault without guardians: the owner asks, the
// waiting is by the node's clock, and what is told afterwards is verified by who asks.
func TestReleaseAtAMember(t *testing.T) {
	b := newBench(t, 4)
	ctx, id := t.Context(), b.vault.ID()
	if _, err := b.ledgers.Accept(ctx, b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	device, cred := b.device("device", ledger.Full)
	owner, lane := b.vault.OwnerLane(), b.vault.Lane(device)
	b.certify(owner, owner.Enrol(cred.Grant))
	step := lane.Snapshot("one", 2)
	b.certify(lane, step)
	request := b.vault.Request(b.vault.Owner, ledger.RequestRelease, step.Entry.CID())
	must(t, b.ledgers.Request(ctx, id, request, ident.Signed{}))
	free, more, err := b.ledgers.Free(ctx, id, request.CID(), ident.CID{})
	if err != nil || more || len(free) != 2 {
		t.Fatal(free, more, err)
	}
	release := b.vault.Release(request.CID(), free...)
	if _, err := b.ledgers.Consent(ctx, id, release); !errors.Is(err, ledger.ErrNotPassed) {
		t.Fatal(err)
	}
	b.clock.advance(31 * 24 * time.Hour)
	consent, err := b.ledgers.Consent(ctx, id, release)
	must(t, err)
	if _, err := ledger.VerifyConsent(consent, b.vault.Charter, ident.SumDagCBOR(release)); err != nil {
		t.Fatal(err)
	}
	if err := b.ledgers.Opine(ctx, id, ledger.Veto, b.vault.Opinion(ledgertest.Key("stranger"), ledger.Veto, request.CID())); !errors.Is(err, ledger.ErrForbidden) {
		t.Error(err)
	}
	cert, _, err := ledger.NewReleaseCertificate(release, b.vault.Consents(release, 3), b.vault.Charter)
	must(t, err)
	must(t, b.ledgers.Release(ctx, id, cert))
	cases, err := b.ledgers.Cases(ctx, id, ident.CID{})
	must(t, err)
	if c, err := ledger.VerifyCase(cases[0], id); err != nil || c.State != ledger.StateCertified {
		t.Errorf("%+v, %v", c, err)
	}
	list, err := b.ledgers.Released(ctx, id, 1, 10)
	must(t, err)
	if r, err := ledger.ParseReleased(list[0]); err != nil || len(list) != 1 || string(r.Cert) != string(cert) {
		t.Errorf("%d releases, %v", len(list), err)
	}
	name := ident.SumDagCBOR(release)
	word, err := b.ledgers.Undo(ctx, id, b.vault.Undo(device, name))
	must(t, err)
	if _, err := ledger.VerifyUndone(word, b.vault.Charter, name); err != nil {
		t.Error(err)
	}
	undone, _, err := ledger.NewUndoCertificate(name, b.vault.Undone(name, 3), b.vault.Charter)
	must(t, err)
	must(t, b.ledgers.Undone(ctx, id, undone))
	standing, err := b.ledgers.Standing(ctx, id, nonce, []ident.CID{name})
	must(t, err)
	member := b.vault.Charter.Members[0]
	a, err := ledger.VerifyStanding(standing, b.vault.Charter, member, nonce, []ident.CID{name})
	if err != nil || a.States[0].State != ledger.ReleaseUndone {
		t.Errorf("%+v, %v", a, err)
	}
}
