package vault

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/seal"
)

func testHome(t *testing.T) Home {
	t.Helper()
	dir := t.TempDir()
	return Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")}
}

func testProfile(t *testing.T, h Home, name string) Profile {
	t.Helper()
	key, index, err := newDevice()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := Profile{Name: name, Vault: ident.SumDagCBOR([]byte(name)), Device: key, Index: index, Bootstrap: []string{"/ip4/127.0.0.1/tcp/1"}}
	p.Charter = owner.Sign("charter", p.Vault, wire.MustEncode(struct{}{}))
	p.Grant = owner.Sign("grant", p.Vault, wire.MustEncode(struct{}{}))
	p.Keys = seal.Entropy{1}.Keys([]byte("salt"))
	p.Identities = []seal.Identity{index}
	if err := h.reserve(name); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfileComesBack(t *testing.T) {
	h := testHome(t)
	p := testProfile(t, h, "shop")
	got, err := h.Load("shop")
	if err != nil {
		t.Fatal(err)
	}
	if got.Device.Public() != p.Device.Public() || got.Index.Seed() != p.Index.Seed() || got.Keys != p.Keys || len(got.Identities) != 1 || got.Vault != p.Vault {
		t.Error("another profile came back")
	}
	info, err := os.Stat(h.profilePath("shop"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("a profile with secrets has mode %v", info.Mode())
	}
}

func TestDamagedProfile(t *testing.T) {
	h := testHome(t)
	testProfile(t, h, "shop")
	good, err := os.ReadFile(h.profilePath("shop"))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string][]byte{"empty": nil, "truncated": good[:len(good)/2], "one byte more": append(good[:len(good):len(good)], 0)} {
		if err := os.WriteFile(h.profilePath("shop"), p, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Load("shop"); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFindVault(t *testing.T) {
	h := testHome(t)
	if _, err := h.Find(""); !errors.Is(err, ErrNoVault) {
		t.Errorf("empty home: %v", err)
	}
	a := testProfile(t, h, "a")
	if name, err := h.Find(""); err != nil || name != "a" {
		t.Errorf("the only vault: %q, %v", name, err)
	}
	b := testProfile(t, h, "b")
	if _, err := h.Find(""); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two vaults: %v", err)
	}
	for ref, want := range map[string]string{"a": "a", b.Vault.String(): "b", a.Vault.Hex()[:12]: "a"} {
		if name, err := h.Find(ref); err != nil || name != want {
			t.Errorf("%s: %q, %v", ref, name, err)
		}
	}
	if _, err := h.Find("c"); !errors.Is(err, ErrNoVault) {
		t.Errorf("unknown: %v", err)
	}
	if err := h.reserve("a"); !errors.Is(err, ErrExists) {
		t.Errorf("taken name: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "a/b", "-x", "a b", strings.Repeat("x", 65), "ä"} {
		if CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	for _, good := range []string{"shop", "shop-2.backup_x", "X"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
}

func TestOneWriter(t *testing.T) {
	h := testHome(t)
	testProfile(t, h, "shop")
	unlock, err := h.lock("shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.lock("shop"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second writer: %v", err)
	}
	unlock()
	again, err := h.lock("shop")
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, p []byte) {
		if got, err := parseProfile(p); err == nil && got.Device.IsZero() {
			t.Fatal("a profile without a device key")
		}
	})
}
