package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// receipts remembers the receipts of one proposal whose signatures have been verified,
// for when it is judged again within a transaction. It belongs to one call.
type receipts struct {
	m map[receiptName]ledger.Receipt
}

type receiptName struct {
	signed signedName
	holder ident.PublicKey
	vault  ident.CID
}

func (r *receipts) verify(s ident.Signed, holder ident.PublicKey, vault ident.CID) (ledger.Receipt, error) {
	name := receiptName{signedName{s.CID(), s.Signature}, holder, vault}
	if known, ok := r.m[name]; ok {
		return known, nil
	}
	known, err := ledger.VerifyReceipt(s, holder, vault)
	if err != nil {
		return known, err
	}
	if r.m == nil {
		r.m = map[receiptName]ledger.Receipt{}
	}
	r.m[name] = known
	return known, nil
}
