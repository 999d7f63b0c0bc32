package ledger

import (
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelRelease and labelReleased name releases and their certificates in errors; they
// are not signed on their own.
const (
	labelRelease  ident.Label = "release"
	labelReleased ident.Label = "release certificate"
)

// Release lists segments that are to go under a request that has passed. One without
// segments is valid: it forgets the request's targets, and frees nothing.
type Release struct {
	V        int64       `cbor:"v"`
	Vault    ident.CID   `cbor:"vault"`
	Charter  ident.CID   `cbor:"charter"` // the request's
	Request  ident.CID   `cbor:"request"`
	Segments []ident.CID `cbor:"segments"` // sorted

	cid ident.CID
}

// ParseRelease checks the form. That the segments may go is decided by each member.
func ParseRelease(p []byte) (Release, error) {
	var r Release
	if err := parse(labelRelease, p, MaxRelease, &r); err != nil {
		return Release{}, err
	}
	r.cid = ident.SumDagCBOR(p)
	return verified(r, r.validate())
}

// Encode returns r's bytes, whose CID is its name. It sorts the segments, in a copy.
func (r Release) Encode() ([]byte, error) {
	r.V = version
	r.Segments = append(make([]ident.CID, 0, len(r.Segments)), r.Segments...)
	slices.SortFunc(r.Segments, ident.CID.Compare)
	if err := r.validate(); err != nil {
		return nil, err
	}
	return wire.Encode(r)
}

// CID returns the name of a release that ParseRelease has returned.
func (r Release) CID() ident.CID { return r.cid }

func (r Release) validate() error {
	if !structure(r.Vault) || !structure(r.Charter) || !structure(r.Request) {
		return invalid(labelRelease, "vault, charter or request names no structure")
	}
	// SPEC: segments: at most 4096 CIDs, sorted, none twice
	if !validNames(r.Segments) {
		return invalid(labelRelease, "segments")
	}
	return nil
}

// Consent is a member's word that it votes for no entry that refers to a segment of
// a release.
type Consent struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the release's
	Release  ident.CID       `cbor:"release"`
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"` // ms, the member's
}

// SignConsent signs c with the member's vote key.
func SignConsent(vote ident.PrivateKey, c Consent) (ident.Signed, error) {
	c.V = version
	if err := c.validate(LabelConsent); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelConsent, c.Vault, MaxSmall, c)
}

// VerifyConsent checks that a member of ch consents, under ch, to a release.
func VerifyConsent(s ident.Signed, ch Charter, release ident.CID) (Consent, error) {
	var c Consent
	if err := parse(LabelConsent, s.Object, MaxSmall, &c); err != nil {
		return Consent{}, err
	}
	return verified(c, c.verify(s, LabelConsent, ch, release))
}

// verify holds what consents and undone words have in common: they have one form.
func (c Consent) verify(s ident.Signed, label ident.Label, ch Charter, release ident.CID) error {
	if err := c.validate(label); err != nil {
		return err
	}
	if c.Vault != ch.ID() || c.Charter != ch.CID() || c.Release != release {
		return mismatch(label, "release %s under charter %s", c.Release, c.Charter)
	}
	_, err := ch.voter(s, c.Operator, label)
	return err
}

func (c Consent) validate(label ident.Label) error {
	if !structure(c.Vault) || !structure(c.Charter) || !structure(c.Release) || !validTime(c.Clock) {
		return invalid(label, "vault, charter, release or clock")
	}
	return nil
}

// ReleaseCertificate is a release with consents of a quorum.
type ReleaseCertificate struct {
	V        int64          `cbor:"v"`
	Release  Raw            `cbor:"release"`
	Consents []ident.Signed `cbor:"consents"` // sorted by operator

	release Release
}

// NewReleaseCertificate makes the encoded certificate of a release and consents in
// any order, and verifies what it has made.
func NewReleaseCertificate(release []byte, consents []ident.Signed, ch Charter) ([]byte, ReleaseCertificate, error) {
	sorted, err := byOperator(consents, ch, labelReleased)
	if err != nil {
		return nil, ReleaseCertificate{}, err
	}
	p, err := wire.Encode(ReleaseCertificate{V: version, Release: release, Consents: sorted})
	if err != nil {
		return nil, ReleaseCertificate{}, err
	}
	c, err := VerifyReleaseCertificate(p, ch)
	if err != nil {
		return nil, ReleaseCertificate{}, err
	}
	return p, c, nil
}

// ReadReleaseCertificate checks the form alone: it says which charter, request and
// segments a certificate is about. Nothing in it is proved.
func ReadReleaseCertificate(p []byte) (Release, error) {
	c, err := parseReleaseCertificate(p)
	return c.release, err
}

// VerifyReleaseCertificate checks that a quorum of ch's members consented, under ch,
// to one release.
func VerifyReleaseCertificate(p []byte, ch Charter) (ReleaseCertificate, error) {
	c, err := parseReleaseCertificate(p)
	switch {
	case err != nil:
		return ReleaseCertificate{}, err
	case c.release.Vault != ch.ID() || c.release.Charter != ch.CID():
		return ReleaseCertificate{}, mismatch(labelReleased, "vault %s, charter %s", c.release.Vault, c.release.Charter)
	}
	return verified(c, checkWords(c.Consents, ch, labelReleased, func(s ident.Signed) (ident.PublicKey, error) {
		w, err := VerifyConsent(s, ch, c.release.cid)
		return w.Operator, err
	}))
}

func parseReleaseCertificate(p []byte) (ReleaseCertificate, error) {
	var c ReleaseCertificate
	if err := parse(labelReleased, p, MaxReleaseCertificate, &c); err != nil {
		return ReleaseCertificate{}, err
	}
	var err error
	c.release, err = ParseRelease(c.Release)
	return verified(c, err)
}

// Released returns the release of a certificate that was verified.
func (c ReleaseCertificate) Released() Release { return c.release }

// checkWords holds that words of distinct members are enough for a quorum.
func checkWords(words []ident.Signed, ch Charter, what ident.Label, verify func(ident.Signed) (ident.PublicKey, error)) error {
	if len(words) > len(ch.Members) {
		return invalid(what, "%d words of %d members", len(words), len(ch.Members))
	}
	// SPEC: at least q, of distinct members
	if len(words) < ch.Quorum() {
		return fmt.Errorf("%s: %w: %d of %d", what, ErrNoQuorum, len(words), ch.Quorum())
	}
	var last ident.PublicKey
	for i, s := range words {
		operator, err := verify(s)
		if err != nil {
			return fmt.Errorf("word %d: %w", i, err)
		}
		if i > 0 && last.Compare(operator) >= 0 {
			return invalid(what, "words are not sorted by operator, or one is there twice")
		}
		last = operator
	}
	return nil
}

// byOperator sorts words, one for each operator. It does not verify them.
func byOperator(words []ident.Signed, ch Charter, what ident.Label) ([]ident.Signed, error) {
	by := make(map[ident.PublicKey]ident.Signed, len(words))
	for _, s := range words {
		var c Consent
		if err := parse(what, s.Object, MaxSmall, &c); err != nil {
			return nil, err
		}
		if _, ok := ch.Member(c.Operator); !ok {
			return nil, fmt.Errorf("%s of operator %s: %w", what, c.Operator, ErrNotMember)
		}
		by[c.Operator] = s
	}
	sorted := make([]ident.Signed, 0, len(by))
	for _, m := range ch.Members {
		if s, ok := by[m.Operator]; ok {
			sorted = append(sorted, s)
		}
	}
	return sorted, nil
}
