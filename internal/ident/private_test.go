package ident

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

// hiddenKey is a named type without PrivateKey's methods.
type hiddenKey PrivateKey

type holder struct {
	Exported PrivateKey
	private  PrivateKey
	pointer  *PrivateKey
	slice    []PrivateKey
	named    hiddenKey
	any      any
	PrivateKey
}

// SPEC: secrets never appear in logs or errors.
func TestPrivateKeyIsNeverPrinted(t *testing.T) {
	k := NewPrivateKey([SeedSize]byte(bytes.Repeat([]byte{0xa7}, SeedSize)))
	h := holder{k, k, &k, []PrivateKey{k}, hiddenKey(k), k, k}
	type outer struct{ h holder }
	values := map[string]any{
		"key": k, "pointer": &k, "slice": []PrivateKey{k}, "array": [1]PrivateKey{k}, "map": map[string]PrivateKey{"a": k},
		"struct": h, "pointer to struct": &h, "struct in struct": outer{h}, "slice of structs": []holder{h}, "named": hiddenKey(k),
		"map of structs": map[string]*holder{"a": &h},
	}
	for what, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%#x", "% x", "%d", "%o", "%b", "%c", "%U", "%p", "%t", "%e", "%08.3v", "%w", "%z"} {
			mustBeSecret(t, what+" "+verb, k, fmt.Sprintf(verb, v))
		}
		mustBeSecret(t, what+" in an error", k, fmt.Errorf("%v %w", v, errors.New("x")).Error())
		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "k", v)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "k", v)
		mustBeSecret(t, what+" in a text log", k, text.String())
		mustBeSecret(t, what+" in a JSON log", k, js.String())
		p, _ := json.Marshal(v)
		mustBeSecret(t, what+" in JSON", k, string(p))
	}
	if s := fmt.Sprintf("%x", k); s != "<private key>" {
		t.Error(s)
	}
}

func mustBeSecret(t *testing.T, what string, k PrivateKey, s string) {
	t.Helper()
	if shows(s, k) {
		t.Errorf("%s shows the key: %s", what, s)
	}
}

// shows looks for the key's bytes in all the ways in which fmt writes bytes.
func shows(s string, k PrivateKey) bool {
	seed := k.Seed()
	s = strings.ToLower(s)
	for _, format := range []string{"%x", "% x", "%d", "%b", "%o", "%c", "%q", "%s", "%U"} {
		if strings.Contains(s, strings.ToLower(strings.Trim(fmt.Sprintf(format, seed[:4]), "[]\""))) {
			return true
		}
	}
	return strings.Contains(s, "0xa7, 0xa7")
}

// The detector finds what fmt does with a key that is not protected.
func TestShows(t *testing.T) {
	k := NewPrivateKey([SeedSize]byte(bytes.Repeat([]byte{0xa7}, SeedSize)))
	type naked struct{ k []byte }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		if s := fmt.Sprintf(verb, naked{k.k()}); !shows(s, k) {
			t.Errorf("not detected: %s", s)
		}
	}
}

func TestGenerateKey(t *testing.T) {
	a, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKey(rand.Reader)
	if err != nil || a.Public() == b.Public() {
		t.Errorf("the same key twice: %v", err)
	}
	if c := NewPrivateKey(a.Seed()); c.Public() != a.Public() {
		t.Error("another key of the same seed")
	}
	seed := bytes.Repeat([]byte{7}, SeedSize)
	if c, err := GenerateKey(iotest.OneByteReader(bytes.NewReader(seed))); err != nil || c.Seed() != [SeedSize]byte(seed) {
		t.Errorf("not the source's bytes: %v", err)
	}
	if _, err := GenerateKey(bytes.NewReader(seed[1:])); err == nil {
		t.Error("a key of 31 bytes")
	}
}

func TestNoPrivateKey(t *testing.T) {
	var k PrivateKey
	if !k.IsZero() || !k.Public().IsZero() || aKey().IsZero() {
		t.Error("no key is a key")
	}
	for what, f := range map[string]func(){
		"Seed": func() { k.Seed() },
		"Sign": func() { k.Sign("test", CID{}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
}
