package guardian

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "anna.key")
	k, err := Init(path, "Anna Example")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadKey(path)
	if err != nil || got.Public() != k.Public() || got.Name != "Anna Example" || got.Identity.Seed() != k.Identity.Seed() {
		t.Errorf("another key came back: %v", err)
	}
	public, err := ReadPublic(PublicPath(path))
	if err != nil || public != k.Public() {
		t.Errorf("another public half came back: %v", err)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(path); !errors.Is(err, ErrKeyMode) {
			t.Errorf("a file that others can read: %v", err)
		}
		if _, err := ReadContribution(path); !errors.Is(err, ErrKeyMode) {
			t.Errorf("a file that others can read: %v", err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(path, "Anna"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the public file is there: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a key without its public half was left behind")
	}
	for _, name := range []string{"", strings.Repeat("n", 65), "two\nlines", "\xff"} {
		if _, err := Init(filepath.Join(t.TempDir(), "key"), name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeyFileRefuses(t *testing.T) {
	k := must(Generate("Anna"))
	text := k.text()
	_, secret, _ := strings.Cut(text, "secret: ")
	secret = strings.TrimSpace(secret)
	other := must(Generate("Ben")).text()
	for name, given := range map[string]string{
		"empty":             "",
		"another version":   strings.Replace(text, " v1", " v2", 1),
		"the public half":   must(k.publicText()),
		"no name":           strings.Replace(text, "name: Anna", "", 1),
		"no secret":         strings.Replace(text, "secret: ", "sekret: ", 1),
		"two secrets":       text + other[strings.Index(other, "secret: "):],
		"a letter short":    strings.Replace(text, secret, secret[1:], 1),
		"no base64":         strings.Replace(text, secret, "!"+secret[1:], 1),
		"letters exchanged": strings.Replace(text, secret, secret[40:44]+secret[4:40]+secret[:4]+secret[44:], 1),
		"a long name":       strings.Replace(text, "name: Anna", "name: "+strings.Repeat("n", 65), 1),
	} {
		_, err := ParseKey([]byte(given))
		if !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}

// A public file belongs together by the guardian's own signature: nobody puts his
// recipient beside a key whose letters have been compared.
func TestPublicFileRefuses(t *testing.T) {
	anna, eve := must(Generate("Anna")), must(Generate("Eve"))
	file := func(o publicObject, by ident.PrivateKey) string {
		signed := must(wire.Encode(by.Sign(LabelGuardian, ident.CID{}, must(wire.Encode(o)))))
		return publicMagic + "\nguardian: " + base64.RawStdEncoding.EncodeToString(signed) + "\n"
	}
	p := anna.Public()
	right := publicObject{V: publicVersion, Name: p.Name, Key: p.Key, Recipient: p.Recipient.String()}
	with := func(change func(*publicObject)) publicObject {
		o := right
		change(&o)
		return o
	}
	if got, err := ParsePublic([]byte(file(right, anna.Approval))); err != nil || got != p {
		t.Fatalf("the right file: %v", err)
	}
	text := must(anna.publicText())
	for name, given := range map[string]string{
		"empty":                 "",
		"the secret half":       anna.text(),
		"another version":       strings.Replace(text, " v1", " v2", 1),
		"a letter missing":      strings.Replace(text, "guardian: o", "guardian: ", 1),
		"two guardians":         text + "guardian: AAAA\n",
		"of another version":    file(with(func(o *publicObject) { o.V = 2 }), anna.Approval),
		"signed by another":     file(with(func(o *publicObject) { o.Recipient = eve.Public().Recipient.String() }), eve.Approval),
		"with a classic key":    file(with(func(o *publicObject) { o.Recipient = "age1" + strings.Repeat("q", 58) }), anna.Approval),
		"without a name":        file(with(func(o *publicObject) { o.Name = "" }), anna.Approval),
		"with a name of 2 rows": file(with(func(o *publicObject) { o.Name = "Anna\nguardian" }), anna.Approval),
	} {
		if _, err := ParsePublic([]byte(given)); !errors.Is(err, ErrPublicFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	k := must(Generate("Anna"))
	f.Add([]byte(k.text()))
	f.Add([]byte(keyMagic + "\nname: x\nsecret: AAAA"))
	f.Fuzz(func(t *testing.T, p []byte) {
		k, err := ParseKey(p)
		if err != nil {
			return
		}
		if again, err := ParseKey([]byte(k.text())); err != nil || again.Public() != k.Public() {
			t.Fatalf("what was read cannot be read: %v", err)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	f.Add([]byte(must(must(Generate("Anna")).publicText())))
	f.Add([]byte(publicMagic + "\nguardian: AAAA"))
	f.Fuzz(func(t *testing.T, p []byte) {
		public, err := ParsePublic(p)
		if err == nil && (public.Name == "" || public.Key.IsZero() || public.Recipient.IsZero()) {
			t.Fatalf("half a guardian: %+v", public)
		}
	})
}
