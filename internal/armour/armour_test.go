package armour

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type note struct {
	V    int64  `cbor:"v"`
	Text string `cbor:"text"`
}

const label = "HOLDFAST NOTE"

// What is encoded is read again, with anything around it; nothing else is.
func TestText(t *testing.T) {
	text, err := Encode(label, note{1, "hello"})
	if err != nil {
		t.Fatal(err)
	}
	var got note
	if err := Decode(label, []byte("Dear operator,\n\n"+string(text)+"\nYours\n"), &got); err != nil || got.Text != "hello" {
		t.Errorf("%+v, %v", got, err)
	}
	for name, p := range map[string][]byte{
		"nothing":       nil,
		"no text":       []byte("hello"),
		"two":           bytes.Repeat(text, 2),
		"another label": bytes.ReplaceAll(text, []byte("NOTE"), []byte("VOTE")),
		"headers":       bytes.Replace(text, []byte("-----\n"), []byte("-----\nProc-Type: 4\n\n"), 1),
		"cut short":     text[:len(text)/2],
		"no CBOR":       []byte("-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n"),
	} {
		if err := Decode(label, p, &got); !errors.Is(err, ErrArmour) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", MaxText+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrArmour) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadFile(path); err != nil || string(text) != "short" {
		t.Errorf("%q, %v", text, err)
	}
}

func FuzzDecode(f *testing.F) {
	text, err := Encode(label, note{1, "hello"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, p []byte) {
		var first, again note
		if Decode(label, p, &first) != nil {
			return
		}
		text, err := Encode(label, first)
		if err != nil || Decode(label, text, &again) != nil || again != first {
			t.Errorf("%+v, then %+v, %v", first, again, err)
		}
	})
}
