package bench

import (
	"math/rand/v2"
	"strconv"
)

// author writes text that looks, and compresses, like program source: lines of a few
// shapes, names made of a common vocabulary, and names that one file uses again and
// again. zstd at its fastest leaves a little more than a third of it.
type author struct {
	random *rand.Rand
	words  []string // the vocabulary; earlier ones are more frequent
	local  []string // names of the file in hand
}

const (
	vocabulary = 2000
	locals     = 48 // names that a file has of its own
	localShare = 69 // of 100 names, how many are of these
)

func newAuthor(seed uint64) *author {
	a := &author{random: rand.New(source(seed, "text"))}
	for range vocabulary {
		a.words = append(a.words, a.coin())
	}
	return a
}

// coin makes a new word of a few syllables.
func (a *author) coin() string {
	const consonants, vowels = "bcdfglmnprstvw", "aeiou"
	var w []byte
	for range 1 + a.random.IntN(3) {
		w = append(w, consonants[a.random.IntN(len(consonants))], vowels[a.random.IntN(len(vowels))])
		if a.random.IntN(3) == 0 {
			w = append(w, consonants[a.random.IntN(len(consonants))])
		}
	}
	return string(w)
}

// word draws from the vocabulary, the early ones more often, as in any language.
func (a *author) word() string {
	f := a.random.Float64()
	return a.words[int(f*f*f*float64(len(a.words)))]
}

// name is an identifier: often one that the file has used before.
func (a *author) name() string {
	if len(a.local) > 0 && a.random.IntN(100) < localShare {
		f := a.random.Float64()
		return a.local[int(f*f*float64(len(a.local)))]
	}
	return a.fresh()
}

func (a *author) fresh() string {
	w := a.word()
	for range a.random.IntN(3) {
		next := a.word()
		w += string(next[0]-'a'+'A') + next[1:]
	}
	return w
}

// shapes of lines. $ is a name, % a word, # a number; a tab or brace is what it is.
var shapes = []string{
	"\t$, err := $.$($, $)\n",
	"\tif err != nil {\n\t\treturn $, fmt.Errorf(\"% % %: %w\", $, err)\n\t}\n",
	"\tif $ := $.$($); $ > # {\n\t\t$ = append($, $)\n\t}\n",
	"\tfor $, $ := range $ {\n\t\t$.$($)\n\t}\n",
	"// $ % % the % of % % %, % % a %.\n",
	"\t// % % % % % % % %.\n",
	"\treturn $.$($, #)\n}\n\n",
	"func ($ *$) $($ $, $ int) ($, error) {\n",
	"\t$ = $[#:$]\n",
	"\tcase $ == $ && $.$ != #:\n",
	"\tvar $ $\n",
	"const $ = #\n",
	"\t$: $,\n",
	"\tt.Errorf(\"%: % # %\", $, $)\n",
}

// write fills p, which is one file or a part of one that begins anew.
func (a *author) write(p []byte) {
	a.local = a.local[:0]
	for range locals {
		a.local = append(a.local, a.fresh())
	}
	buf := p[:0:len(p)]
	for len(buf) < len(p) {
		buf = a.line(buf)
	}
	copy(p, buf) // the last line may have moved buf elsewhere
}

func (a *author) line(buf []byte) []byte {
	shape := shapes[a.random.IntN(len(shapes))]
	for i := range len(shape) {
		switch shape[i] {
		case '$':
			buf = append(buf, a.name()...)
		case '%':
			if shape[i+1] == 'w' {
				buf = append(buf, '%')
				continue
			}
			buf = append(buf, a.word()...)
		case '#':
			buf = strconv.AppendInt(buf, int64(a.random.IntN(1000)), 10)
		default:
			buf = append(buf, shape[i])
		}
	}
	return buf
}
