package ledger_test

import (
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// ofReleases are the samples of requests and releases. They belong to the vectors'
// vault, as it would be with guardians.
func (w *world) ofReleases() []structure {
	v := w.vault.Change("vectors", ledgertest.Guardians(3, 2))
	id, m := v.ID(), v.Members[2]
	request := v.Request(v.Owner, ledger.RequestRelease, w.first.Entry.CID(), w.second.Entry.CID())
	asked := must(ledger.VerifyRequest(request, id))
	release := v.Release(request.CID(), w.first.Segments()...)
	name := ident.SumDagCBOR(release)
	cert, _, err := ledger.NewReleaseCertificate(release, v.Consents(release, 3), v.Charter)
	must(cert, err)
	undoing, _, err := ledger.NewUndoCertificate(name, v.Undone(name, 3), v.Charter)
	must(undoing, err)
	opinion := func(stance ledger.Stance) (ident.Signed, func(ident.Signed) error) {
		return v.Opinion(ledgertest.GuardianKey(1), stance, request.CID()), func(s ident.Signed) error {
			_, err := ledger.VerifyOpinion(s, stance, asked)
			return err
		}
	}
	approval, approves := opinion(ledger.Approve)
	veto, vetoes := opinion(ledger.Veto)
	nonce, states := [16]byte{3}, []ident.CID{name, request.CID()}
	standing := must(ledger.SignStanding(m.Vote, ledger.Standing{
		Vault: id, Charter: v.Charter.CID(), Nonce: nonce, Operator: m.Operator.Public(), Clock: ledger.Millis(ledgertest.Start()),
		States: []ledger.ReleaseStanding{
			{Release: states[0], State: ledger.ReleaseCertified, Until: ledger.Millis(ledgertest.Start().AddDate(0, 0, 7))},
			{Release: states[1]},
		},
	}))
	return []structure{
		{"request", ledger.LabelRequest, id, request, func(s ident.Signed) error {
			_, err := ledger.VerifyRequest(s, id)
			return err
		}},
		{"request-charter", ledger.LabelRequest, id, w.forCharter(v), func(s ident.Signed) error {
			_, err := ledger.VerifyRequest(s, id)
			return err
		}},
		{"approve", ledger.LabelApprove, id, approval, approves},
		{"veto", ledger.LabelVeto, id, veto, vetoes},
		{"release", "", id, plain(release), parses(ledger.ParseRelease)},
		{"consent", ledger.LabelConsent, id, m.ConsentTo(release), func(s ident.Signed) error {
			_, err := ledger.VerifyConsent(s, v.Charter, name)
			return err
		}},
		{"release-certificate", "", id, plain(cert), func(s ident.Signed) error {
			_, err := ledger.VerifyReleaseCertificate(s.Object, v.Charter)
			return err
		}},
		{"undo", ledger.LabelUndo, id, v.Undo(v.Owner, name), func(s ident.Signed) error {
			_, err := ledger.VerifyUndo(s, id)
			return err
		}},
		{"undone", ledger.LabelUndone, id, v.Undone(name, 3)[2], func(s ident.Signed) error {
			_, err := ledger.VerifyUndone(s, v.Charter, name)
			return err
		}},
		{"undo-certificate", "", id, plain(undoing), func(s ident.Signed) error {
			_, err := ledger.VerifyUndoCertificate(s.Object, v.Charter)
			return err
		}},
		{"standing", ledger.LabelStanding, id, standing, func(s ident.Signed) error {
			_, err := ledger.VerifyStanding(s, v.Charter, v.Charter.Members[2], nonce, states)
			return err
		}},
		{"case", "", id, plain(w.caseOf(request, approval, veto, name)), func(s ident.Signed) error {
			_, err := ledger.VerifyCase(s.Object, id)
			return err
		}},
		{"released", "", id, plain(must(ledger.Released{Seq: 7, Cert: cert, Undo: undoing}.Encode())), parses(ledger.ParseReleased)},
	}
}

// forCharter is a request with every field that the other does not have.
func (w *world) forCharter(v *ledgertest.Vault) ident.Signed {
	r := v.DraftRequest(ledger.RequestCharter)
	r.Successor, r.Reason, r.Nonce = ident.SumDagCBOR([]byte("next")), "one operator leaves", [16]byte{9}
	return must(ledger.SignRequest(v.Owner, r))
}

func (w *world) caseOf(request, approval, veto ident.Signed, release ident.CID) []byte {
	start := ledger.Millis(ledgertest.Start())
	c := must(ledger.NewCase(ledger.Case{
		Request: request, Approvals: []ident.Signed{approval}, Vetoes: []ident.Signed{veto}, Releases: []ident.CID{release},
		First: start, Approved: start + 1000, State: ledger.StateVetoed, Why: "vetoed by guardian 1",
	}))
	return must(c.Encode())
}

// Who is told from the label cannot be turned into the other: an approval is no veto,
// and a consent is no word of undoing.
func TestStancesAreKeptApart(t *testing.T) {
	w := newWorld()
	v := w.vault.Change("vectors", ledgertest.Guardians(3, 2))
	request := must(ledger.VerifyRequest(v.Request(v.Owner, ledger.RequestRelease, w.first.Entry.CID()), v.ID()))
	approval := v.Opinion(ledgertest.GuardianKey(0), ledger.Approve, request.CID())
	if _, err := ledger.VerifyOpinion(approval, ledger.Veto, request); err == nil {
		t.Error("an approval is taken for a veto")
	}
	release := v.Release(request.CID())
	if _, err := ledger.VerifyUndone(v.Members[0].ConsentTo(release), v.Charter, ident.SumDagCBOR(release)); err == nil {
		t.Error("a consent is taken for a word of undoing")
	}
	if _, err := ledger.SignOpinion(v.Owner, "abstain", ledger.Opinion{}); err == nil {
		t.Error("a stance that there is not")
	}
}
