package guardian

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

var confirmedAt = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// signed is the circle's charter as its owner has signed it.
func (c circle) signed() ledger.Charter {
	draft := ledgertest.NewVault("confirming", 4).Draft("confirming")
	draft.Salt, draft.Guardians, draft.Threshold, draft.Secret = c.charter.Salt, c.charter.Guardians, c.charter.Threshold, c.charter.Secret
	return must(ledger.VerifyFirstCharter(must(ledger.SignCharter(c.entropy.OwnerKey(), draft))))
}

// Whoever confirms has opened his envelope; what he signs is for everybody to verify,
// and has nothing of the share in it.
func TestConfirm(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	ch, all := c.signed(), c.shares(t)
	for i, k := range c.keys {
		share, signed, err := k.Confirm(ch, confirmedAt)
		if err != nil || share != all[i] {
			t.Fatalf("guardian %d: share %d, %v", i+1, share.Index, err)
		}
		word, err := ledger.VerifyConfirmation(signed, []ledger.Charter{ch})
		if err != nil || word.By != k.Approval.Public() || word.Share != ch.Guardians[i].Share || !ledger.Time(word.Clock).Equal(confirmedAt) {
			t.Errorf("guardian %d: %+v, %v", i+1, word, err)
		}
		for _, s := range all {
			if bytes.Contains(signed.Object, s.value[:8]) {
				t.Errorf("guardian %d: a share is readable", i+1)
			}
		}
	}
}

// Nothing is signed about an envelope that holds something else, or is another's.
func TestConfirmRefuses(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	swapped, rehashed, bare := c.charter, c.charter, c.charter
	swapped.Guardians = append([]ledger.Guardian{}, c.charter.Guardians...)
	swapped.Guardians[0].Envelope = c.charter.Guardians[1].Envelope
	rehashed.Guardians = append([]ledger.Guardian{}, c.charter.Guardians...)
	rehashed.Guardians[0].Share[0]++
	bare.Secret = nil
	stranger := must(Generate("eve"))
	for name, tc := range map[string]struct {
		key  Key
		ch   ledger.Charter
		want error
	}{
		"another's envelope":          {c.keys[0], swapped, ErrEnvelope},
		"another's hash":              {c.keys[0], rehashed, ErrEnvelope},
		"no secret":                   {c.keys[0], bare, ErrNoSecret},
		"a stranger":                  {stranger, c.charter, ErrWrongKey},
		"an identity that is not his": {Key{Name: "mixed", Approval: c.keys[0].Approval, Identity: stranger.Identity}, c.charter, ErrEnvelope},
	} {
		if _, signed, err := tc.key.Confirm(tc.ch, confirmedAt); !errors.Is(err, tc.want) || !signed.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
}
