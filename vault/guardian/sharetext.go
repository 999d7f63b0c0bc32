package guardian

import (
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
)

const (
	codeVersion = 1
	codeContext = "holdfast v1 share code"
	codeSize    = 4 + len(mark{}) + 32 + checksumSize // 50 bytes are 80 letters, with no bits left over
	codeGroup   = 5
)

// letters is RFC 4648's base32 in lower case: what can be read aloud and typed.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Code returns the share as people keep it: 16 groups of 5 letters and digits, with
// a checksum. It is a secret.
//
//	SPEC: base32 of version || index || threshold || of || mark || share || checksum
func (s Share) Code() string {
	p := slices.Concat([]byte{codeVersion, byte(s.Index), byte(s.Threshold), byte(s.Of)}, s.vault[:], s.value[:])
	text := letters.EncodeToString(append(p, checksum(codeContext, p)...))
	groups := make([]string, 0, len(text)/codeGroup)
	for g := range slices.Chunk([]byte(text), codeGroup) {
		groups = append(groups, string(g))
	}
	return strings.Join(groups, "-")
}

// typed takes away what people put between letters, and the digits that they take
// for letters: no digit 0, 1 or 8 is in the alphabet.
var typed = strings.NewReplacer("-", "", " ", "", "\t", "", "\n", "", "\r", "", "0", "o", "1", "l", "8", "b")

// ParseCode reads what Code writes, whatever the case and the grouping. The error is
// ErrShare, and repeats nothing of the text.
func ParseCode(text string) (Share, error) {
	const most = 1 << 10
	if len(text) > most {
		return Share{}, fmt.Errorf("%w: longer than %d characters", ErrShare, most)
	}
	text = typed.Replace(strings.ToLower(text))
	if want := letters.EncodedLen(codeSize); len(text) != want {
		return Share{}, fmt.Errorf("%w: %d letters instead of %d", ErrShare, len(text), want)
	}
	p, err := letters.DecodeString(text)
	if err != nil {
		return Share{}, fmt.Errorf("%w: a sign that no share has", ErrShare)
	}
	p, sum := p[:codeSize-checksumSize], p[codeSize-checksumSize:]
	switch {
	case string(checksum(codeContext, p)) != string(sum):
		return Share{}, fmt.Errorf("%w: wrong checksum: a letter is wrong, or two have changed places", ErrShare)
	case p[0] != codeVersion:
		return Share{}, fmt.Errorf("%w: version %d is not known", ErrShare, p[0])
	}
	s := Share{Index: int(p[1]), Threshold: int(p[2]), Of: int(p[3])}
	p = p[4:]
	s.value = [32]byte(p[copy(s.vault[:], p):])
	return s, s.check()
}
