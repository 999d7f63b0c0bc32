package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelCertificate names certificates in errors; they are not signed on their own.
const labelCertificate ident.Label = "certificate"

// Certificate is an entry's votes of a quorum. Its signatures are theirs.
type Certificate struct {
	V       int64          `cbor:"v"`
	Entry   ident.CID      `cbor:"entry"`
	Attempt int64          `cbor:"attempt"`
	Votes   []ident.Signed `cbor:"votes"` // sorted by operator

	place  Place
	voters []ident.PublicKey // sorted
	clocks []int64           // ascending
}

// ParseCertificate checks the form of a certificate. Nothing in it is verified.
func ParseCertificate(p []byte) (Certificate, error) {
	var c Certificate
	err := parse(labelCertificate, p, MaxCertificate, &c)
	return verified(c, err)
}

// VerifyCertificate checks that a quorum of ch's members voted for one entry at one
// place.
func VerifyCertificate(p []byte, ch Charter) (Certificate, error) {
	c, err := ParseCertificate(p)
	if err != nil {
		return Certificate{}, err
	}
	if len(c.Votes) > len(ch.Members) {
		return Certificate{}, invalid(labelCertificate, "%d votes of %d members", len(c.Votes), len(ch.Members))
	}
	// SPEC: at least q
	if len(c.Votes) < ch.Quorum() {
		return Certificate{}, fmt.Errorf("certificate of entry %s: %w: %d of %d", c.Entry, ErrNoQuorum, len(c.Votes), ch.Quorum())
	}
	err = c.verify(ch)
	return verified(c, err)
}

// verify checks every vote, and keeps what they say.
func (c *Certificate) verify(ch Charter) error {
	var last ident.PublicKey
	for i, s := range c.Votes {
		v, err := VerifyVote(s, ch)
		if err != nil {
			return fmt.Errorf("vote %d: %w", i, err)
		}
		if i == 0 {
			c.place = v.Place
		}
		switch {
		// SPEC: all for the same charter, lane, height, attempt and entry
		case v.Place != c.place || v.Entry != c.Entry || v.Attempt != c.Attempt:
			return mismatch(labelCertificate, "vote %d is for entry %s at %v", i, v.Entry, v.Place)
		// SPEC: sorted by operator, of distinct members
		case i > 0 && last.Compare(v.Operator) >= 0:
			return invalid(labelCertificate, "votes are not sorted by operator, or one is there twice")
		}
		last = v.Operator
		c.voters = append(c.voters, v.Operator)
		c.clocks = append(c.clocks, v.Clock)
	}
	slices.Sort(c.clocks)
	return nil
}

// NewCertificate makes the encoded certificate of votes in any order. Votes of one
// operator more than once count once. It verifies what it has made.
func NewCertificate(votes []ident.Signed, ch Charter) ([]byte, error) {
	p, _, err := MakeCertificate(votes, ch)
	return p, err
}

// MakeCertificate is NewCertificate, and returns the verified certificate as well.
func MakeCertificate(votes []ident.Signed, ch Charter) ([]byte, Certificate, error) {
	p, err := encodeCertificate(votes, ch)
	if err != nil {
		return nil, Certificate{}, err
	}
	c, err := VerifyCertificate(p, ch)
	if err != nil {
		return nil, Certificate{}, err
	}
	return p, c, nil
}

// encodeCertificate sorts votes. It does not verify their signatures.
func encodeCertificate(votes []ident.Signed, ch Charter) ([]byte, error) {
	by := make(map[ident.PublicKey]ident.Signed, len(votes))
	c := Certificate{V: version}
	for _, s := range votes {
		var v Vote
		if err := parse(LabelVote, s.Object, MaxSmall, &v); err != nil {
			return nil, err
		}
		if _, ok := ch.Member(v.Operator); !ok {
			return nil, fmt.Errorf("vote of operator %s: %w", v.Operator, ErrNotMember)
		}
		by[v.Operator], c.Entry, c.Attempt = s, v.Entry, v.Attempt
	}
	if len(by) == 0 {
		return nil, fmt.Errorf("make certificate: %w: no votes", ErrNoQuorum)
	}
	for _, m := range ch.Members {
		if s, ok := by[m.Operator]; ok {
			c.Votes = append(c.Votes, s)
		}
	}
	return wire.Encode(c)
}

// Place returns where a verified certificate's votes count.
func (c Certificate) Place() Place { return c.place }

// Voters returns the operators whose members voted in a verified certificate, sorted.
func (c Certificate) Voters() []ident.PublicKey { return c.voters }

// Time returns a verified certificate's time of the entry: the median of the votes'
// clocks, the lower one of two. Of one that is not verified it is the zero time.
func (c Certificate) Time() time.Time {
	if len(c.clocks) == 0 {
		return time.Time{}
	}
	return Time(c.clocks[(len(c.clocks)-1)/2])
}

// KnownCertificate reads a certificate that has been verified before: its attempt, and its time of
// the entry. It verifies no signature, and is for what a member keeps itself.
func KnownCertificate(p []byte) (attempt int64, at time.Time, err error) {
	var c Certificate
	if err := parse(labelCertificate, p, MaxCertificate, &c); err != nil {
		return 0, time.Time{}, err
	}
	for _, s := range c.Votes {
		var v Vote
		if err := parse(LabelVote, s.Object, MaxSmall, &v); err != nil {
			return 0, time.Time{}, err
		}
		c.clocks = append(c.clocks, v.Clock)
	}
	slices.Sort(c.clocks)
	return c.Attempt, c.Time(), nil
}

// Certifies checks that a verified certificate is an entry's.
func (c Certificate) Certifies(e Entry) error {
	at := Place{e.Vault, e.Charter, e.Lane, e.Height, c.Attempt}
	if c.Entry != e.CID() || c.place != at {
		return mismatch(labelCertificate, "entry %s at %v", c.Entry, c.place)
	}
	return nil
}
