package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelCase names cases in errors; they are not signed on their own.
const labelCase ident.Label = "case"

// Case is a request with all that was said about it, as one member knows it. What is
// signed in it proves itself; the last fields are this member's view.
type Case struct {
	V         int64          `cbor:"v"`
	Request   ident.Signed   `cbor:"request"`
	Successor ident.Signed   `cbor:"successor,omitzero"` // the charter, for a request of that kind
	Approvals []ident.Signed `cbor:"approvals,omitempty"`
	Vetoes    []ident.Signed `cbor:"vetoes,omitempty"`
	Releases  []ident.CID    `cbor:"releases,omitempty"` // certified and not taken back
	Undone    []ident.CID    `cbor:"undone,omitempty"`   // releases that were taken back
	First     int64          `cbor:"first"`              // ms, when this member first saw the request
	Approved  int64          `cbor:"approved,omitempty"` // ms, when it first had all the approvals
	State     CaseState      `cbor:"state"`
	Why       string         `cbor:"why,omitempty"`

	request   Request
	approvals []Opinion
	vetoes    []Opinion
}

// MaxCaseReleases is how many releases of one request a case names: the newest.
const MaxCaseReleases = 4096

// ParseCase checks the form of a case, and of what is signed in it. No signature is
// verified.
func ParseCase(p []byte) (Case, error) {
	var c Case
	if err := parse(labelCase, p, MaxCase, &c); err != nil {
		return Case{}, err
	}
	return verified(c, c.read())
}

// VerifyCase checks form and signatures of a case of a vault. Whether those who
// signed had a say is decided by CheckAsker and CheckVoice. The view is the
// member's, and the releases are for their certificates to prove.
func VerifyCase(p []byte, vault ident.CID) (Case, error) {
	c, err := ParseCase(p)
	if err != nil {
		return Case{}, err
	}
	if _, err := VerifyRequest(c.Request, vault); err != nil {
		return Case{}, err
	}
	for stance, list := range map[Stance][]ident.Signed{Approve: c.Approvals, Veto: c.Vetoes} {
		for _, s := range list {
			if _, err := VerifyOpinion(s, stance, c.request); err != nil {
				return Case{}, err
			}
		}
	}
	return c, nil
}

// NewCase makes a case of what was verified when it came. Only the signed parts need
// be filled in.
func NewCase(c Case) (Case, error) { return verified(c, c.read()) }

// Encode returns c's bytes.
func (c Case) Encode() ([]byte, error) {
	c.V = version
	p, err := wire.Encode(c)
	if err == nil && len(p) > MaxCase {
		err = fmt.Errorf("encode case: %w: %d bytes", ErrTooLarge, len(p))
	}
	return verified(p, err)
}

// Asked returns the request.
func (c Case) Asked() Request { return c.request }

// Certified reports whether a release of it ever was certified.
func (c Case) Certified() bool { return len(c.Releases)+len(c.Undone) > 0 }

// Approvers returns the keys that approve, each once, in the order in which they came.
func (c Case) Approvers() []ident.PublicKey { return voices(c.approvals) }

// Vetoers returns the keys that veto, each once, in the order in which they came.
func (c Case) Vetoers() []ident.PublicKey { return voices(c.vetoes) }

func voices(opinions []Opinion) []ident.PublicKey {
	var keys []ident.PublicKey
	seen := make(map[ident.PublicKey]bool, len(opinions))
	for _, o := range opinions {
		if !seen[o.By] {
			seen[o.By] = true
			keys = append(keys, o.By)
		}
	}
	return keys
}

// read parses what is signed.
func (c *Case) read() error {
	var err error
	if c.request, err = parseRequest(c.Request); err != nil {
		return err
	}
	if c.request.Kind == RequestCharter && c.Successor.CID() != c.request.Successor {
		return mismatch(labelCase, "successor %s", c.Successor.CID())
	}
	if len(c.Approvals) > MaxOpinions || len(c.Vetoes) > MaxOpinions || len(c.Releases)+len(c.Undone) > MaxCaseReleases {
		return fmt.Errorf("case: %w", ErrTooLarge)
	}
	if c.approvals, err = c.opinions(Approve, c.Approvals); err != nil {
		return err
	}
	c.vetoes, err = c.opinions(Veto, c.Vetoes)
	return err
}

func (c *Case) opinions(stance Stance, list []ident.Signed) ([]Opinion, error) {
	out := make([]Opinion, 0, len(list))
	for _, s := range list {
		o, err := parseOpinion(s, stance)
		if err != nil {
			return nil, err
		}
		if o.Request != c.request.cid {
			return nil, mismatch(stance.Label(), "request %s", o.Request)
		}
		out = append(out, o)
	}
	return out, nil
}
