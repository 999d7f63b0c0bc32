package ledger

import "holdfast/internal/ident"

// Report is a member's word that it votes and acknowledges nothing at a height below
// the place's attempt, and of the highest certificate that it holds there.
type Report struct {
	V int64 `cbor:"v"`
	Place
	Operator ident.PublicKey `cbor:"operator"`
	Highest  Raw             `cbor:"highest,omitzero"` // certificate

	certificate Certificate
}

// Certificate returns the highest certificate of a report that VerifyReport has
// returned; false if it names none.
func (r Report) Certificate() (Certificate, bool) { return r.certificate, !r.Highest.IsZero() }

// SignReport signs r with the member's vote key.
func SignReport(vote ident.PrivateKey, r Report) (ident.Signed, error) {
	r.V = version
	if err := r.Place.validate(LabelReport); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelReport, r.Vault, MaxReport, r)
}

// VerifyReport checks that a member of ch reports under ch, and the certificate in
// the report, which must be of the same height and a lower attempt.
func VerifyReport(s ident.Signed, ch Charter) (Report, error) {
	var r Report
	if err := parse(LabelReport, s.Object, MaxReport, &r); err != nil {
		return Report{}, err
	}
	if err := r.under(ch, LabelReport); err != nil {
		return Report{}, err
	}
	if _, err := ch.voter(s, r.Operator, LabelReport); err != nil {
		return Report{}, err
	}
	if r.Highest.IsZero() {
		return r, nil
	}
	err := r.verifyHighest(ch)
	return verified(r, err)
}

func (r *Report) verifyHighest(ch Charter) error {
	c, err := VerifyCertificate(r.Highest, ch)
	if err != nil {
		return err
	}
	at := c.place
	at.Attempt = r.Attempt
	if at != r.Place || c.Attempt >= r.Attempt {
		return mismatch(LabelReport, "certificate at %v", c.place)
	}
	r.certificate = c
	return nil
}
