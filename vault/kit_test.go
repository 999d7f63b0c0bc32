package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/seal"
)

func testKit(t *testing.T) Kit {
	t.Helper()
	e, err := seal.NewEntropy(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Kit{
		Entropy: e, Vault: ident.SumDagCBOR([]byte("charter")), Network: "test-kit", Name: "shop",
		Bootstrap: []string{"/ip4/127.0.0.1/tcp/4710/p2p/12D3KooWx", "/dns4/node.example/tcp/1/p2p/12D3KooWy"},
	}
}

func TestKitComesBack(t *testing.T) {
	k := testKit(t)
	got, err := ReadKit(strings.NewReader(k.Text()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Entropy != k.Entropy || got.Vault != k.Vault || got.Network != k.Network || got.Name != k.Name || len(got.Bootstrap) != 2 || got.Bootstrap[1] != k.Bootstrap[1] {
		t.Errorf("another kit came back: %v %v %v %v", got.Vault, got.Network, got.Name, got.Bootstrap)
	}
}

func TestWordsAlone(t *testing.T) {
	k := testKit(t)
	for _, text := range []string{k.Entropy.Phrase(), "\n " + strings.ToUpper(k.Entropy.Phrase()) + "\r\n", strings.ReplaceAll(k.Entropy.Phrase(), " ", "\n")} {
		got, err := ReadKit(strings.NewReader(text))
		if err != nil || got.Entropy != k.Entropy || got.Vault.Defined() {
			t.Errorf("words alone: %v", err)
		}
	}
}

func TestKitRefusals(t *testing.T) {
	k := testKit(t)
	words := strings.Fields(k.Entropy.Phrase())
	swapped := append([]string{}, words...)
	swapped[0] = "zzzz"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":         {"", seal.ErrPhrase},
		"unknown word":  {strings.Join(swapped, " "), seal.ErrPhrase},
		"a word short":  {strings.Join(words[:23], " "), seal.ErrPhrase},
		"two phrases":   {k.Text() + k.Text(), ErrKit},
		"too long":      {strings.Repeat("word ", maxKit), ErrKit},
		"broken vault":  {strings.Replace(k.Text(), "vault: b", "vault: x", 1), ident.ErrCID},
		"broken phrase": {strings.Replace(k.Text(), "phrase: "+words[0], "phrase: zzzz", 1), seal.ErrPhrase},
	} {
		_, err := ReadKit(strings.NewReader(c.text))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), words[5]) {
			t.Errorf("%s: the error holds a word of the phrase", name)
		}
	}
}

func FuzzReadKit(f *testing.F) {
	f.Add([]byte("phrase: " + strings.Repeat("abandon ", 23) + "art\nvault: bafy\nnetwork: x\n"))
	f.Add([]byte(strings.Repeat("abandon ", 23) + "art"))
	f.Add([]byte("bootstrap:\nname:::\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		k, err := ReadKit(bytes.NewReader(p))
		if err != nil {
			return
		}
		again, err := ReadKit(strings.NewReader(k.Entropy.Phrase()))
		if err != nil || again.Entropy != k.Entropy {
			t.Fatalf("the phrase of what was read cannot be read: %v", err)
		}
	})
}
