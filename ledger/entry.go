package ledger

import "holdfast/internal/ident"

// Kind says what an entry does.
type Kind string

// The kinds of this version. Snapshot stands in a device's lane, the others in the
// owner's.
const (
	KindSnapshot Kind = "snapshot"
	KindEnrol    Kind = "enrol"
	KindRevoke   Kind = "revoke"
	KindCharter  Kind = "charter"
)

func (k Kind) valid() bool {
	switch k {
	case KindSnapshot, KindEnrol, KindRevoke, KindCharter:
		return true
	}
	return false
}

// Entry is one link of a lane.
type Entry struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"` // in force when it was made
	Lane    ident.PublicKey `cbor:"lane"`
	Height  int64           `cbor:"height"`          // 1 for the first
	Prev    ident.CID       `cbor:"prev,omitzero"`   // entry at Height-1
	Kind    Kind            `cbor:"kind"`            //
	Source  [16]byte        `cbor:"source,omitzero"` // of a snapshot: what it is a snapshot of
	Body    ident.CID       `cbor:"body"`
	Clock   int64           `cbor:"clock"` // ms, the device's; decides nothing

	cid ident.CID
}

// SignEntry signs e with its lane's key, which is filled in.
func SignEntry(lane ident.PrivateKey, e Entry) (ident.Signed, error) {
	e.V, e.Lane = version, lane.Public()
	if err := e.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(lane, LabelEntry, e.Vault, MaxEntry, e)
}

// VerifyEntry checks form and signature, the latter by the lane's key inside.
// Whether that key may add to the vault is not decided here.
func VerifyEntry(s ident.Signed) (Entry, error) {
	e, err := ParseEntry(s)
	if err != nil {
		return Entry{}, err
	}
	return verified(e, check(s, e.Lane, LabelEntry, e.Vault))
}

// ReadEntry reads an entry that has been verified before. It verifies no signature, and
// is for what a member keeps itself.
func ReadEntry(s ident.Signed) (Entry, error) {
	var e Entry
	if err := parse(LabelEntry, s.Object, MaxEntry, &e); err != nil {
		return Entry{}, err
	}
	e.cid = s.CID()
	return e, nil
}

// ParseEntry checks form only: it is for an entry whose signature was verified when it
// came, and which is the one that a certificate or a hash names.
func ParseEntry(s ident.Signed) (Entry, error) {
	var e Entry
	if err := parse(LabelEntry, s.Object, MaxEntry, &e); err != nil {
		return Entry{}, err
	}
	e.cid = s.CID()
	return verified(e, e.validate())
}

// CID returns the name of an entry that VerifyEntry has returned. The first digits
// of its Hex are what people call a snapshot.
func (e Entry) CID() ident.CID { return e.cid }

func (e Entry) validate() error {
	const what = LabelEntry
	switch {
	case !structure(e.Vault) || !structure(e.Charter) || !structure(e.Body):
		return invalid(what, "vault, charter or body names no structure")
	case e.Height < 1:
		return invalid(what, "height %d", e.Height)
	// SPEC: entry at height-1; absent at 1
	case (e.Height == 1) != e.Prev.IsZero() || !e.Prev.IsZero() && !structure(e.Prev):
		return invalid(what, "prev does not fit height %d", e.Height)
	case !e.Kind.valid():
		return invalid(what, "kind %.20q is not known", string(e.Kind))
	case e.Kind != KindSnapshot && e.Source != [16]byte{}:
		return invalid(what, "a source in an entry of kind %s", e.Kind)
	case !validTime(e.Clock):
		return invalid(what, "clock %d", e.Clock)
	}
	return nil
}
