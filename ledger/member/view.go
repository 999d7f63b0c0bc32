package member

import (
	"errors"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// view is what a member knows of a vault when it judges a proposal for one lane. It
// lives as long as its transaction. An error of the database makes every answer a
// refusal, and is kept.
type view struct {
	index
	vault    *vault // nil where no charter is judged
	charter  ledger.Charter
	lane     ident.PublicKey // that is judged
	height   int64           // that is proposed
	state    ledger.LaneState
	certs    *certificates
	receipts *receipts
	err      error
}

var (
	_ ledger.View            = (*view)(nil)
	_ ledger.CertificateView = (*view)(nil)
	_ ledger.ReceiptView     = (*view)(nil)
)

// NodeReceipt implements ledger.ReceiptView.
func (v *view) NodeReceipt(s ident.Signed, holder ident.PublicKey, vault ident.CID) (ledger.Receipt, error) {
	return v.receipts.verify(s, holder, vault)
}

// NodeCertificate implements ledger.CertificateView.
func (v *view) NodeCertificate(s ident.Signed) (ledger.NodeCertificate, error) {
	return v.certs.verify(s)
}

func (v *view) failed(err error) bool {
	v.err = errors.Join(v.err, err)
	return err != nil
}

// Charter implements ledger.View.
func (v *view) Charter() ledger.Charter { return v.charter }

// Grant implements ledger.View.
func (v *view) Grant(device ident.PublicKey) (g ledger.Grant, enrolled, revoked bool) {
	s, ok, err := v.index.grant(device)
	if v.failed(err) || !ok {
		return ledger.Grant{}, false, v.index.revoked(device)
	}
	g, err = ledger.VerifyGrant(s, v.charter.Owner, v.charter.ID())
	return g, !v.failed(err), v.index.revoked(device)
}

// Head implements ledger.View.
func (v *view) Head(lane ident.PublicKey) (int64, ident.CID) {
	if lane == v.lane && v.height == v.state.Height {
		return v.height - 1, v.state.Prev
	}
	height, id, err := v.head(lane)
	v.failed(err)
	return height, id
}

// Numbered implements ledger.View.
func (v *view) Numbered(lane ident.PublicKey, upto ident.CID) (int64, bool) {
	if upto.IsZero() {
		return 0, true
	}
	r, ok, err := v.certified(upto)
	if v.failed(err) || !ok || r.Lane != lane || v.replaced(r) {
		return 0, false
	}
	return r.Count, true
}

// Introduced implements ledger.View.
func (v *view) Introduced(segment ident.CID) bool {
	in, ok, err := v.introduction(segment)
	if err != nil || !ok {
		return v.failed(err)
	}
	r, ok, err := v.entry(in.entry)
	if err != nil || !ok {
		return v.failed(err)
	}
	state, lane, err := v.index.state(segment)
	return v.failed(err) || state == ledger.SegmentCertified && !v.replaced(r) || state == ledger.SegmentLocked && lane != v.lane
}

// replaced reports whether an entry would be void if the proposed one is certified.
func (v *view) replaced(r record) bool { return r.Lane == v.lane && r.Height >= v.height }

// Refs implements ledger.View. It reads the sets from the entry down to the full
// one, and resolves them upwards.
func (v *view) Refs(entry ident.CID) (ledger.Set, bool) {
	var sets []ledger.RefSet
	var entries []ident.CID
	r, ok, err := v.certified(entry)
	if v.failed(err) || !ok || v.replaced(r) {
		return ledger.Set{}, false
	}
	for id := entry; ; id = sets[len(sets)-1].Base {
		p := v.get(refsBucket, id.Bytes())
		if p == nil || len(sets) > ledger.MaxDeltas {
			return ledger.Set{}, false
		}
		set, err := ledger.ParseRefSet(p)
		if v.failed(err) {
			return ledger.Set{}, false
		}
		sets, entries = append(sets, set), append(entries, id)
		if set.IsFull() {
			break
		}
	}
	var out ledger.Set
	for i := len(sets) - 1; i >= 0; i-- {
		if out, err = sets[i].Resolve(r.Lane, entries[i], out); v.failed(err) {
			return ledger.Set{}, false
		}
	}
	return out, true
}
