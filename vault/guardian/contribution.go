package guardian

import (
	"fmt"
	"io"
	"os"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
)

// Contribution is what one guardian brings to a recovery: the text of a share, or
// the key that opens the share's envelope in the charter. It is a secret.
type Contribution struct {
	From string // what errors call it: a file's name
	File ShareFile
	Key  Key // zero: File holds the share
}

// HasKey reports whether the share still has to be taken out of its envelope.
func (c Contribution) HasKey() bool { return !c.Key.Approval.IsZero() }

// ReadContribution reads a file of either kind. A key file that others can read is
// refused.
func ReadContribution(path string) (Contribution, error) {
	f, err := os.Open(path)
	if err != nil {
		return Contribution{}, fmt.Errorf("read share: %w", err)
	}
	defer f.Close()
	c, err := ReadContributionFrom(f, path)
	if err == nil && c.HasKey() {
		c.Key, err = ReadKey(path)
	}
	return c, err
}

// ReadContributionFrom reads what is in a file of either kind, under a name for
// errors.
func ReadContributionFrom(r io.Reader, from string) (Contribution, error) {
	text, err := io.ReadAll(io.LimitReader(r, shareLimit+1))
	switch {
	case err != nil:
		return Contribution{}, fmt.Errorf("read share %s: %w", from, err)
	case len(text) > shareLimit:
		return Contribution{}, fmt.Errorf("read share %s: %w: longer than %d bytes", from, ErrShare, shareLimit)
	}
	c := Contribution{From: from}
	if IsKey(text) {
		c.Key, err = ParseKey(text)
	} else {
		c.File, err = ParseShareFile(text)
	}
	if err != nil {
		return Contribution{}, fmt.Errorf("read share %s: %w", from, err)
	}
	return c, nil
}

// Agree says, before there is a charter, what can be said: whether the shares that
// are there can be of one vault and one split, and if no envelope has to be opened,
// whether they are enough. It returns the vault that they name, if any does.
func Agree(given []Contribution) (ident.CID, error) {
	var vault ident.CID
	var shares []Share
	for _, c := range given {
		if c.HasKey() {
			continue
		}
		if named := c.File.Vault; named.Defined() {
			if vault.Defined() && named != vault {
				return vault, fmt.Errorf("%s: %w: %s", c.From, ErrForeign, named)
			}
			vault = named
		}
		shares = append(shares, c.File.Share)
	}
	if len(shares) < len(given) {
		return vault, nil
	}
	return vault, Together(shares)
}

// Recover opens the root secret with what guardians have brought. Charters are all
// of one vault and verified, the newest last. Shares fit the charter with which they
// were made, and that may be an earlier one: then it is opened by that. What does
// not fit any is said about the newest that has guardians.
func Recover(charters []ledger.Charter, given []Contribution) (seal.Entropy, error) {
	var first error
	for i := len(charters) - 1; i >= 0; i-- {
		if len(charters[i].Secret) == 0 {
			continue
		}
		e, err := recoverWith(charters[i], given)
		if err == nil {
			return e, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = ErrNoSecret
	}
	return seal.Entropy{}, first
}

func recoverWith(c ledger.Charter, given []Contribution) (seal.Entropy, error) {
	shares := make([]Share, len(given))
	for i, g := range given {
		var err error
		if shares[i] = g.File.Share; g.HasKey() {
			shares[i], err = g.Key.Open(c)
		} else {
			err = shares[i].Verify(c)
		}
		if err != nil {
			return seal.Entropy{}, fmt.Errorf("%s: %w", g.From, err)
		}
	}
	return Combine(c, shares)
}
