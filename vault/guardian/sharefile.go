package guardian

import (
	"fmt"
	"strings"

	"holdfast/internal/ident"
)

// ShareFile is a share as it is kept on paper: with what one needs besides it in
// order to find the vault.
type ShareFile struct {
	Share     Share
	Vault     ident.CID // zero: the share alone
	Network   string
	Bootstrap []string
}

const (
	shareMagic = "holdfast share v1"
	shareLimit = 64 << 10
	maxAddrs   = 64
)

const shareText = shareMagic + `

Share %d of %d of the recovery key of a vault. Any %d of them together read
everything in it; fewer say nothing. Keep this one like a key.

share: %s
vault: %s
network: %s
`

// Text is the file: lines of the form "key: value", at most so many addresses as a
// reader takes, and prose that it skips. It is a secret.
func (f ShareFile) Text() string {
	var b strings.Builder
	s := f.Share
	fmt.Fprintf(&b, shareText, s.Index, s.Of, s.Threshold, s.Code(), f.Vault, f.Network)
	for _, a := range f.Bootstrap[:min(len(f.Bootstrap), maxAddrs)] {
		fmt.Fprintf(&b, "bootstrap: %s\n", a)
	}
	b.WriteString("\nOn any machine, with enough of them in files:\n\n  holdfast recover --share FILE --share FILE\n")
	return b.String()
}

// ParseShareFile reads a share's text, or a file with nothing but its letters. The
// error is ErrShare.
func ParseShareFile(text []byte) (ShareFile, error) {
	var f ShareFile
	found := false
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		var err error
		switch strings.ToLower(key) {
		case "share":
			if found {
				return ShareFile{}, fmt.Errorf("%w: two shares in one file", ErrShare)
			}
			found = true
			if f.Share, err = ParseCode(value); err != nil {
				return ShareFile{}, err
			}
		case "phrase":
			return ShareFile{}, fmt.Errorf("%w: it is a recovery kit, for recover --phrase-file", ErrShare)
		case "vault":
			f.Vault, err = ident.ParseCID(value)
		case "network":
			f.Network = value
		case "bootstrap":
			if f.Bootstrap = append(f.Bootstrap, value); len(f.Bootstrap) > maxAddrs {
				err = fmt.Errorf("more than %d addresses", maxAddrs)
			}
		}
		if err != nil {
			return ShareFile{}, fmt.Errorf("%w: line %q: %w", ErrShare, strings.ToLower(key), err)
		}
	}
	if found {
		return f, nil
	}
	var err error
	f.Share, err = ParseCode(string(text))
	return f, err
}
