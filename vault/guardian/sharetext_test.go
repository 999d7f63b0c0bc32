package guardian

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
)

// shareFileOf is a share with everything that a file can say beside it.
func shareFileOf(s Share) ShareFile {
	return ShareFile{
		Share: s, Vault: ident.SumDagCBOR([]byte("charter")), Network: "test-share",
		Bootstrap: []string{"/ip4/192.0.2.1/tcp/4710/p2p/12D3KooWx", "/dns4/node.example/tcp/1/p2p/12D3KooWy"},
	}
}

func TestShareFileComesBack(t *testing.T) {
	for _, s := range newCircle(t, "shop", 2, 3).shares(t) {
		f := shareFileOf(s)
		got, err := ParseShareFile([]byte(f.Text()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Share != s || got.Vault != f.Vault || got.Network != f.Network || len(got.Bootstrap) != 2 || got.Bootstrap[1] != f.Bootstrap[1] {
			t.Errorf("another share came back: %s %s %q", got.Vault, got.Network, got.Bootstrap)
		}
		for _, alone := range []string{
			s.Code(), strings.ToUpper(s.Code()), strings.ReplaceAll(s.Code(), "-", ""), strings.ReplaceAll(s.Code(), "-", "\n"),
			" " + strings.ReplaceAll(s.Code(), "-", " - ") + "\r\n", "share: " + s.Code(),
			strings.NewReplacer("o", "0", "l", "1", "b", "8").Replace(s.Code()),
		} {
			if got, err := ParseShareFile([]byte(alone)); err != nil || got.Share != s || got.Vault.Defined() {
				t.Errorf("%v", err)
			}
		}
	}
}

// However many addresses are known, what is written can be read.
func TestManyAddresses(t *testing.T) {
	f := shareFileOf(newCircle(t, "shop", 2, 3).shares(t)[0])
	f.Bootstrap = make([]string, 1000)
	for i := range f.Bootstrap {
		f.Bootstrap[i] = "/ip4/192.0.2.1/tcp/" + strconv.Itoa(i+1)
	}
	if got, err := ParseShareFile([]byte(f.Text())); err != nil || len(got.Bootstrap) != maxAddrs {
		t.Errorf("%d addresses, %v", len(got.Bootstrap), err)
	}
}

// A share checks itself: whatever one letter becomes, whichever two change places,
// it is not taken for a share.
func TestDamagedCodes(t *testing.T) {
	s := newCircle(t, "shop", 2, 3).shares(t)[0]
	code := s.Code()
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	rapid.Check(t, func(t *rapid.T) {
		p := []byte(strings.ReplaceAll(code, "-", ""))
		for range rapid.IntRange(1, 4).Draw(t, "letters") {
			p[rapid.IntRange(0, len(p)-1).Draw(t, "where")] = alphabet[rapid.IntRange(0, 31).Draw(t, "what")]
		}
		i, j := rapid.IntRange(0, len(p)-1).Draw(t, "one"), rapid.IntRange(0, len(p)-1).Draw(t, "other")
		p[i], p[j] = p[j], p[i]
		got, err := ParseCode(string(p))
		if string(p) == strings.ReplaceAll(code, "-", "") {
			if err != nil || got != s {
				t.Fatalf("the same letters: %v", err)
			}
			return
		}
		if !errors.Is(err, ErrShare) || strings.Contains(err.Error(), code[:5]) {
			t.Fatalf("damaged: %v", err)
		}
	})
}

func TestShareFileRefuses(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	all := c.shares(t)
	text := shareFileOf(all[0]).Text()
	code := all[0].Code()
	wrong := func(change func(*Share)) string {
		s := all[0]
		change(&s)
		return s.Code()
	}
	for name, given := range map[string]string{
		"empty":                  "",
		"words":                  c.entropy.Phrase(),
		"a recovery kit":         "phrase: " + c.entropy.Phrase() + "\n",
		"a letter short":         code[1:],
		"a letter more":          code + "a",
		"a sign that is no code": "9" + code[1:],
		"two shares":             text + text,
		"too long":               strings.Repeat("a", 1<<11),
		"a broken vault":         strings.Replace(text, "vault: b", "vault: x", 1),
		"too many addresses":     text + strings.Repeat("bootstrap: /ip4/192.0.2.1/tcp/1\n", maxAddrs),
		"number 0":               wrong(func(s *Share) { s.Index = 0 }),
		"number 4 of 3":          wrong(func(s *Share) { s.Index = 4 }),
		"1 of 3":                 wrong(func(s *Share) { s.Threshold = 1 }),
		"4 of 3":                 wrong(func(s *Share) { s.Threshold = 4 }),
		"no scalar":              wrong(func(s *Share) { s.value[31] = 0xff }),
		"a key file":             c.keys[0].text(),
	} {
		if _, err := ParseShareFile([]byte(given)); !errors.Is(err, ErrShare) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), code[:11]) {
			t.Errorf("%s: the error shows the share", name)
		}
	}
}

func FuzzParseShareFile(f *testing.F) {
	c := newCircle(f, "shop", 2, 3)
	f.Add([]byte(shareFileOf(c.shares(f)[0]).Text()))
	f.Add([]byte(c.shares(f)[1].Code()))
	f.Add([]byte("share: \nvault: b\nbootstrap:"))
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := ParseShareFile(p)
		if err != nil {
			if !errors.Is(err, ErrShare) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseCode(got.Share.Code()); err != nil || again != got.Share {
			t.Fatalf("what was read cannot be read: %v", err)
		}
	})
}
