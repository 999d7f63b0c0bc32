package seal

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// phraseWords is how many words write 256 bits of entropy and 8 of checksum, 11
// bits each.
const phraseWords = 24

// english is BIP-39's English list: 2,048 words in order, one a line.
//
//go:embed english.txt
var english string

// ErrPhrase says that words are not a recovery phrase. The message around it tells
// what is wrong and where, and repeats no word.
var ErrPhrase = errors.New("not a recovery phrase")

// Phrase returns the entropy as 24 words with a space between.
func (e Entropy) Phrase() string {
	list := strings.Fields(english)
	sum := sha256.Sum256(e[:])
	bits := append(e[:], sum[0])
	words := make([]string, phraseWords)
	for i := range words {
		words[i] = list[take11(bits, i)]
	}
	return strings.Join(words, " ")
}

// ParsePhrase reads 24 words, whatever white space is around them and whatever
// their case.
func ParsePhrase(words string) (Entropy, error) {
	// A phrase has at most 24 words of 8 letters: leave room for white space.
	const maxLength = 4096
	if len(words) > maxLength {
		return Entropy{}, fmt.Errorf("%w: longer than %d bytes", ErrPhrase, maxLength)
	}
	fields := strings.Fields(strings.ToLower(words))
	if len(fields) != phraseWords {
		return Entropy{}, fmt.Errorf("%w: %d words instead of %d", ErrPhrase, len(fields), phraseWords)
	}
	list := strings.Fields(english)
	var bits [33]byte
	for i, w := range fields {
		n := sort.SearchStrings(list, w)
		if n == len(list) || list[n] != w {
			return Entropy{}, fmt.Errorf("%w: word %d is not in the list", ErrPhrase, i+1)
		}
		put11(bits[:], i, n)
	}
	e := Entropy(bits[:32])
	if sum := sha256.Sum256(e[:]); sum[0] != bits[32] {
		return Entropy{}, fmt.Errorf("%w: wrong checksum: a word is wrong, or two have changed places", ErrPhrase)
	}
	return e, nil
}

// take11 returns the i-th group of 11 bits, most significant bit first.
func take11(p []byte, i int) (n int) {
	for b := 11 * i; b < 11*i+11; b++ {
		n = n<<1 | int(p[b/8]>>(7-b%8)&1)
	}
	return n
}

// put11 sets the i-th group of 11 bits of p, which are zero.
func put11(p []byte, i, n int) {
	for j := range 11 {
		b := 11*i + j
		p[b/8] |= byte(n>>(10-j)&1) << (7 - b%8)
	}
}
