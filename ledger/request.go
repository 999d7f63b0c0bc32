package ledger

import (
	"time"
	"unicode/utf8"

	"holdfast/internal/ident"
)

// RequestKind says what a request is for.
type RequestKind string

// The kinds of requests.
const (
	// RequestRelease forgets snapshots before their time: it takes approvals.
	RequestRelease RequestKind = "release"
	// RequestExpiry forgets snapshots as the charter has agreed in advance.
	RequestExpiry RequestKind = "expiry"
	// RequestCharter lets a successor lower protection.
	RequestCharter RequestKind = "charter"
)

const (
	// RequestLife is how long a request is open, and how old one may be that a member
	// has not seen before.
	RequestLife = 90 * 24 * time.Hour
	// RequestKept is how long after its first sight a request is remembered that has
	// come to nothing. It is longer than any that could come again by RequestLife.
	RequestKept = 2 * RequestLife
)

// Request asks a vault's members and guardians for what destroys, or could.
type Request struct {
	V         int64           `cbor:"v"`
	Vault     ident.CID       `cbor:"vault"`
	Charter   ident.CID       `cbor:"charter"` // in force when it was made, and as long as it counts
	Kind      RequestKind     `cbor:"kind"`
	Targets   []ident.CID     `cbor:"targets,omitempty"`  // snapshot entries, sorted; none for a charter
	Successor ident.CID       `cbor:"successor,omitzero"` // of a charter
	Reason    string          `cbor:"reason,omitempty"`   // for people
	Nonce     [16]byte        `cbor:"nonce"`
	By        ident.PublicKey `cbor:"by"`
	Clock     int64           `cbor:"clock"` // ms, of who asks

	cid ident.CID
}

// SignRequest signs r, whose By is filled in.
func SignRequest(by ident.PrivateKey, r Request) (ident.Signed, error) {
	r.V, r.By = version, by.Public()
	if err := r.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(by, LabelRequest, r.Vault, MaxRequest, r)
}

// VerifyRequest checks form and signature of a request in a vault, the latter by the
// key inside. Whether that key may ask is decided by CheckAsker.
func VerifyRequest(s ident.Signed, vault ident.CID) (Request, error) {
	r, err := parseRequest(s)
	if err == nil && r.Vault != vault {
		err = mismatch(LabelRequest, "vault %s", r.Vault)
	}
	if err != nil {
		return Request{}, err
	}
	return verified(r, check(s, r.By, LabelRequest, vault))
}

func parseRequest(s ident.Signed) (Request, error) {
	var r Request
	if err := parse(LabelRequest, s.Object, MaxRequest, &r); err != nil {
		return Request{}, err
	}
	if err := r.validate(); err != nil {
		return Request{}, err
	}
	r.cid = s.CID()
	return r, nil
}

// CID returns the name of a request that VerifyRequest has returned.
func (r Request) CID() ident.CID { return r.cid }

func (r Request) validate() error {
	const what = LabelRequest
	switch {
	case !structure(r.Vault) || !structure(r.Charter):
		return invalid(what, "vault or charter names no structure")
	case len(r.Reason) > MaxReason || !utf8.ValidString(r.Reason):
		return invalid(what, "reason")
	case !validTime(r.Clock):
		return invalid(what, "clock %d", r.Clock)
	}
	switch r.Kind {
	case RequestRelease, RequestExpiry:
		// SPEC: targets: 1 to 4096 entry CIDs, sorted; no successor
		if len(r.Targets) < 1 || !r.Successor.IsZero() || !validNames(r.Targets) {
			return invalid(what, "targets, or a successor in a request of kind %s", r.Kind)
		}
	case RequestCharter:
		if len(r.Targets) > 0 || !structure(r.Successor) {
			return invalid(what, "successor, or targets in a request of kind charter")
		}
	default:
		return invalid(what, "kind %.20q is not known", string(r.Kind))
	}
	return nil
}
