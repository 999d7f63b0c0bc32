package vault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/vault/guardian"
)

// Kit is what a person needs to get everything back on an empty machine: the
// words, and, so that nobody can present another vault, the vault's ID.
type Kit struct {
	Entropy   seal.Entropy
	Vault     ident.CID // zero: the words alone
	Network   string
	Bootstrap []string
	Name      string // what its owner calls the vault
}

// ErrKit says that a file is neither a kit nor words.
var ErrKit = errors.New("neither a recovery kit nor 24 words")

// maxKit limits what is read of a kit: 24 words and a few addresses.
const maxKit = 64 << 10

const kitText = `holdfast recovery kit

Whoever has the words on the next line can read everything in this vault.
Keep this on paper, where a fire that takes the servers does not take it.

phrase: %s
vault: %s
network: %s
name: %s
`

// Text is the kit as it is kept: lines of the form "key: value", and prose that a
// reader skips.
func (k Kit) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, kitText, k.Entropy.Phrase(), k.Vault, k.Network, k.Name)
	for _, a := range k.Bootstrap {
		fmt.Fprintf(&b, "bootstrap: %s\n", a)
	}
	b.WriteString("\nOn any machine, with this text in a file:\n\n" +
		"  holdfast recover --phrase-file FILE\n  holdfast restore latest --target DIR\n")
	return b.String()
}

// ReadKit reads a kit's text, or a file with nothing but the words.
func ReadKit(r io.Reader) (Kit, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKit+1))
	if err != nil {
		return Kit{}, fmt.Errorf("read kit: %w", err)
	}
	if len(text) > maxKit {
		return Kit{}, fmt.Errorf("read kit: %w: longer than %d bytes", ErrKit, maxKit)
	}
	k, found, err := parseLines(text)
	if err != nil {
		return Kit{}, err
	}
	if !found {
		if _, err := guardian.ParseShareFile(text); err == nil {
			return Kit{}, fmt.Errorf("read kit: %w: it is a guardian's share, for recover --share", ErrKit)
		}
		k.Entropy, err = seal.ParsePhrase(string(text))
		if err != nil {
			return Kit{}, fmt.Errorf("read kit: %w", err)
		}
	}
	return k, nil
}

func parseLines(text []byte) (k Kit, phrase bool, err error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxKit)
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "phrase":
			if phrase {
				return k, false, fmt.Errorf("read kit: %w: two phrases", ErrKit)
			}
			phrase = true
			k.Entropy, err = seal.ParsePhrase(value)
		case "vault":
			k.Vault, err = ident.ParseCID(value)
		case "network":
			k.Network = value
		case "name":
			k.Name = value
		case "bootstrap":
			k.Bootstrap = append(k.Bootstrap, value)
		}
		if err != nil {
			return k, phrase, fmt.Errorf("read kit: %s: %w", key, err)
		}
	}
	return k, phrase, lines.Err()
}
