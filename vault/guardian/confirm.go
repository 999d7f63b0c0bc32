package guardian

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Confirm opens the envelope for this guardian in a charter, checks the share, and signs
// that it is right, with the approval key. What is signed tells nothing of the share.
// The errors are those of Open; then nothing is signed.
func (k Key) Confirm(c ledger.Charter, at time.Time) (Share, ident.Signed, error) {
	s, err := k.Open(c)
	if err != nil {
		return Share{}, ident.Signed{}, err
	}
	signed, err := ledger.SignConfirmation(k.Approval, c, at)
	if err != nil {
		return Share{}, ident.Signed{}, err
	}
	return s, signed, nil
}
