package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWordList(t *testing.T) {
	const published = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
	if sum := sha256.Sum256([]byte(english)); hex.EncodeToString(sum[:]) != published {
		t.Errorf("the word list is not BIP-39's: SHA-256 %x", sum)
	}
	list := strings.Fields(english)
	if len(list) != 2048 || !slices.IsSorted(list) {
		t.Errorf("%d words, or not sorted", len(list))
	}
}

// TestPublishedPhrases holds Phrase and ParsePhrase to those of the vectors of the
// reference implementation that have 256 bits.
func TestPublishedPhrases(t *testing.T) {
	p, err := os.ReadFile("testdata/bip39.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Entropy, Phrase string }
	if err := json.Unmarshal(p, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 8 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		b, err := hex.DecodeString(v.Entropy)
		if err != nil {
			t.Fatal(err)
		}
		if got := Entropy(b).Phrase(); got != v.Phrase {
			t.Errorf("%s: %s", v.Entropy, got)
		}
		if got, err := ParsePhrase(v.Phrase); err != nil || got != Entropy(b) {
			t.Errorf("%s: not read back: %v", v.Entropy, err)
		}
	}
}

func TestPhraseLaws(t *testing.T) {
	list := strings.Fields(english)
	rapid.Check(t, func(t *rapid.T) {
		e := Entropy(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "entropy"))
		words := strings.Fields(e.Phrase())
		if len(words) != 24 {
			t.Fatalf("%d words", len(words))
		}
		space := rapid.SampledFrom([]string{" ", "\n", "\t", "  \r\n "}).Draw(t, "space")
		written := space + strings.Join(words, space) + space
		if rapid.Bool().Draw(t, "upper") {
			written = strings.ToUpper(written)
		}
		if got, err := ParsePhrase(written); err != nil || got != e {
			t.Fatalf("not read back: %v", err)
		}
		i := rapid.IntRange(0, 23).Draw(t, "word")
		words[i] = rapid.SampledFrom(list).Draw(t, "other word")
		got, err := ParsePhrase(strings.Join(words, " "))
		if err != nil && !errors.Is(err, ErrPhrase) {
			t.Fatalf("error %v", err)
		}
		if err == nil && got.Phrase() != strings.Join(words, " ") {
			t.Fatal("another phrase was read")
		}
	})
}

// TestAlmostEveryWrongWordIsFound counts what the 8 bits of checksum promise.
func TestAlmostEveryWrongWordIsFound(t *testing.T) {
	words := strings.Fields(Entropy{1, 2, 3}.Phrase())
	missed := 0
	list := strings.Fields(english)
	for _, w := range list {
		changed := slices.Clone(words)
		changed[5] = w
		if _, err := ParsePhrase(strings.Join(changed, " ")); err == nil {
			missed++
		}
	}
	if missed > 2*len(list)/256 {
		t.Errorf("%d of %d wrong words are accepted", missed, len(list))
	}
}

func TestWrongPhrases(t *testing.T) {
	good := strings.Fields(Entropy{9}.Phrase())
	swapped := slices.Clone(good)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	unknown := slices.Clone(good)
	unknown[6] = "hovdfast"
	for name, c := range map[string]struct{ words, says string }{
		"empty":    {"", "0 words"},
		"short":    {strings.Join(good[:23], " "), "23 words"},
		"long":     {strings.Join(append(good[:24:24], "zoo"), " "), "25 words"},
		"unknown":  {strings.Join(unknown, " "), "word 7 is"},
		"swapped":  {strings.Join(swapped, " "), "checksum"},
		"prefixes": {strings.Join(append([]string{good[0][:2]}, good[1:]...), " "), "word 1 is"},
		"huge":     {strings.Repeat("abandon ", 100000), "longer"},
	} {
		_, err := ParsePhrase(c.words)
		if !errors.Is(err, ErrPhrase) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range append(strings.Fields(c.words), "hovdfast") {
			if len(w) > 3 && slices.Contains(strings.Fields(err.Error()), w) {
				t.Errorf("%s: the error %q tells a word", name, err)
			}
		}
	}
}

func FuzzParsePhrase(f *testing.F) {
	f.Add("")
	f.Add(Entropy{}.Phrase())
	f.Add(strings.ToUpper(Entropy{1}.Phrase()))
	f.Add(strings.Repeat("zoo ", 24))
	f.Add("\xff\xfe abandon")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParsePhrase(s)
		if err != nil {
			if !errors.Is(err, ErrPhrase) || e != (Entropy{}) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if e.Phrase() != strings.Join(strings.Fields(strings.ToLower(s)), " ") {
			t.Fatal("other words say the same")
		}
	})
}
