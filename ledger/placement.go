package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelPlacement names later placements in errors; they are not signed on their own.
const labelPlacement ident.Label = "placement"

// Placement is a receipt that belongs to no commit, of a holder that got shards
// later, by completion or repair. Members keep them as files of this form.
type Placement struct {
	V       int64        `cbor:"v"`
	Receipt ident.Signed `cbor:"receipt"`
	Cert    ident.Signed `cbor:"cert"` // the holder's node certificate
}

// ParsePlacement checks the form of a placement. Nothing in it is verified.
func ParsePlacement(p []byte) (Placement, error) {
	var l Placement
	err := parse(labelPlacement, p, MaxPlacement, &l)
	return verified(l, err)
}

// Encode returns l's bytes.
func (l Placement) Encode() ([]byte, error) {
	l.V = version
	return wire.Encode(l)
}

// Verify checks the receipt and the certificate: that the receipt is a later one of
// ch's vault by that node, and that the node might hold shards at the receipt's time.
func (l Placement) Verify(ch Charter) (Receipt, NodeCertificate, error) {
	fail := func(err error) (Receipt, NodeCertificate, error) { return Receipt{}, NodeCertificate{}, err }
	c, err := VerifyNodeCertificate(l.Cert)
	if err != nil {
		return fail(err)
	}
	r, err := VerifyReceipt(l.Receipt, c.Vote, ch.ID())
	if err != nil {
		return fail(err)
	}
	if r.Node != c.Node || !r.Later() {
		return fail(fmt.Errorf("%w: of another node, or of a commit", ErrReceipt))
	}
	if err := CheckHolder(ch, c, Time(r.Time)); err != nil {
		return fail(err)
	}
	return r, c, nil
}

// CheckLater decides whether a verified later receipt is worth keeping now. That it
// names shards that exist is the caller's question.
func (r Receipt) CheckLater(ch Charter, now time.Time) error {
	switch {
	case r.Charter != ch.CID():
		return fmt.Errorf("%w: %s", ErrCharter, r.Charter)
	case r.CheckTime(now) != nil:
		return r.CheckTime(now)
	case Time(r.Until).Before(now.Add(LeastLeft)):
		return fmt.Errorf("%w: it ends at %v", ErrReceipt, Time(r.Until).UTC())
	}
	return nil
}

// CheckTime refuses a receipt from the future, which would count before those that come
// until then.
func (r Receipt) CheckTime(now time.Time) error {
	if Time(r.Time).After(now.Add(ClockSkew)) {
		return fmt.Errorf("%w: it is from the future", ErrReceipt)
	}
	return nil
}

// Placing orders later receipts for one shard: the newest counts, and of two of the same
// time that with the greater name, so that all who know both agree. The zero value is
// older than any.
type Placing struct {
	Time    int64 // ms, the receipt's
	Receipt ident.CID
}

// Newer reports whether p counts and q does not.
func (p Placing) Newer(q Placing) bool {
	return p.Time > q.Time || p.Time == q.Time && p.Receipt.Compare(q.Receipt) > 0
}

// MovesCursor is a place in the order in which one member's store got later placements.
// The zero value is the beginning. A cursor of another store is the beginning too.
type MovesCursor struct {
	Store [8]byte // names the store, which lives as long as its order
	Next  int64
}
