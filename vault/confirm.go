package vault

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault/guardian"
)

// Confirmed is what is known of the share of one guardian of the charter in force.
type Confirmed struct {
	Name string
	Key  ident.PublicKey
	Time time.Time // when he has confirmed it, on his own clock; zero if nobody shows that he has
	Kept int       // members that have shown the newest confirmation
}

// ConfirmationAge is how long a confirmation says something: people lose keys and papers,
// and whoever has not looked for a year is to be asked again.
const ConfirmationAge = 365 * 24 * time.Hour

// Old reports whether a guardian is to be asked again because he has last looked too
// long ago.
func (c Confirmed) Old(now time.Time) bool {
	return !c.Time.IsZero() && now.Sub(c.Time) > ConfirmationAge
}

// Confirm opens a guardian's envelope in the vault's newest charter, and tells all
// members that the share in it is right. It returns the share, and how many members keep
// the confirmation.
func (v *Visit) Confirm(ctx context.Context, key guardian.Key) (guardian.Share, int, error) {
	share, signed, err := key.Confirm(v.council.charter, v.council.now())
	if err != nil {
		return guardian.Share{}, 0, err
	}
	kept, err := v.council.tell(ctx, func(ctx context.Context, m seat) error {
		return m.Confirm(ctx, v.council.charter.ID(), signed)
	})
	if err != nil {
		return share, kept, fmt.Errorf("confirm share: %w", err)
	}
	return share, kept, nil
}

// Confirmations says of each guardian whether he has confirmed his share, in the
// charter's order; none if the charter gives nobody a share.
func (v *Visit) Confirmations(ctx context.Context) ([]Confirmed, error) {
	return v.council.confirmations(ctx, v.charters)
}

// Confirmations is Visit's.
func (s *Session) Confirmations(ctx context.Context) ([]Confirmed, error) {
	return s.council().confirmations(ctx, s.chain.Since(s.vault))
}

// confirmations asks all members what guardians have confirmed, and hands each what it
// has not shown and others have. Charters are those that have been in force, the newest
// last. One member that shows a confirmation is enough, because the guardian has signed
// it; and of a quorum one has each that was made, as Visit.Confirm counts.
func (c council) confirmations(ctx context.Context, charters []ledger.Charter) ([]Confirmed, error) {
	if len(c.charter.Secret) == 0 {
		return nil, nil
	}
	wait := quorumWait{Enough: c.quorum(), Grace: askGrace, Limit: askLimit}
	answers := gather(ctx, c.charter.Members, wait, func(ctx context.Context, m ledger.Member) ([]ident.Signed, error) {
		return c.member(m).Confirmations(ctx, c.charter.ID())
	})
	if succeeded(answers) == 0 {
		return nil, fmt.Errorf("ask members what guardians confirm: %w: %w", ErrNetwork, noneAnswers(answers))
	}
	newest := newestConfirmations(answers, charters)
	ctx, cancel := context.WithTimeout(ctx, askLimit) // for handing on: whoever looks does not wait for the slow
	defer cancel()
	var out []Confirmed
	for _, g := range c.charter.Guardians {
		one := Confirmed{Name: g.Name, Key: g.Key}
		if n := newest[g.Key]; n != nil {
			one.Time, one.Kept = ledger.Time(n.word.Clock), len(n.shown)
			c.spreadConfirmation(ctx, answers, n)
		}
		out = append(out, one)
	}
	return out, nil
}

// shownConfirmation is the newest confirmation of a guardian.
type shownConfirmation struct {
	signed ident.Signed
	word   ledger.Confirmation
	shown  map[ident.PublicKey]bool // by whom: members' nodes
}

// newestConfirmations verifies what members have shown. What does not count is passed
// over, whoever shows it.
func newestConfirmations(answers []answer[[]ident.Signed], charters []ledger.Charter) map[ident.PublicKey]*shownConfirmation {
	newest := map[ident.PublicKey]*shownConfirmation{}
	for _, a := range answers {
		for _, signed := range a.Value {
			word, err := ledger.VerifyConfirmation(signed, charters)
			if a.Err != nil || err != nil {
				continue
			}
			n := newest[word.By]
			if n == nil || word.Newer(n.word) {
				n = &shownConfirmation{signed, word, map[ident.PublicKey]bool{}}
				newest[word.By] = n
			}
			if n.signed.CID() == signed.CID() {
				n.shown[a.Member.Node] = true
			}
		}
	}
	return newest
}

// spreadConfirmation hands a confirmation to the members that have answered without it.
// What a member does not take is missing in its next answer, too.
func (c council) spreadConfirmation(ctx context.Context, answers []answer[[]ident.Signed], n *shownConfirmation) {
	for _, a := range answers {
		if a.Err == nil && !n.shown[a.Member.Node] && ctx.Err() == nil {
			c.member(a.Member).Confirm(ctx, c.charter.ID(), n.signed)
		}
	}
}
