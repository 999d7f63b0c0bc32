package vault

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// inviteText is an invitation by the vault of package ledgertest.
func inviteText(t testing.TB) []byte {
	t.Helper()
	v := ledgertest.NewVault("invite", 4)
	i := Invite{Name: "shop", Charter: v.Signed, Grant: v.Grant(ledgertest.Key("invited"), ledger.Append), Bootstrap: []string{"/ip4/127.0.0.1/tcp/1"}}
	text, err := i.Text()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func requestText(t testing.TB) []byte {
	t.Helper()
	signed, err := ledger.SignJoinRequest(ledgertest.Key("invited"), ledger.JoinRequest{Name: "web-01", Index: ledgertest.Recipient(), Created: 1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := armour.Encode(labelRequest, signed)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestInvitationVector holds the text of docs/format.md for ever.
func TestInvitationVector(t *testing.T) {
	for name, now := range map[string][]byte{"invitation.txt": inviteText(t), "request.txt": requestText(t)} {
		path := filepath.Join("testdata", name)
		was, err := os.ReadFile(path)
		if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
			if err = os.MkdirAll("testdata", 0o755); err == nil {
				was, err = now, os.WriteFile(path, now, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(was, now) {
			t.Errorf("%s is built differently now", name)
		}
	}
	i, err := ReadInvite(filepath.Join("testdata", "invitation.txt"))
	if err != nil || i.Rights() != ledger.Append || i.Device() != ledgertest.Key("invited").Public() {
		t.Errorf("%s %s, %v", i.Rights(), i.Device(), err)
	}
	r, err := ReadRequest(filepath.Join("testdata", "request.txt"))
	if err != nil || r.Name != "web-01" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestSpoiltTexts: what is not the text that was asked for is refused by name.
func TestSpoiltTexts(t *testing.T) {
	good := inviteText(t)
	block, _ := pem.Decode(good)
	other := ledgertest.NewVault("other", 4)
	grant := Invite{Charter: ledgertest.NewVault("invite", 4).Signed, Grant: other.Grant(ledgertest.Key("x"), ledger.Full)}
	foreign, err := grant.Text()
	if err != nil {
		t.Fatal(err)
	}
	header := *block
	header.Headers = map[string]string{"a": "b"}
	for name, text := range map[string][]byte{
		"nothing":                {},
		"a request":              requestText(t),
		"two":                    append(bytes.Clone(good), good...),
		"headers":                pem.EncodeToMemory(&header),
		"cut off":                good[:len(good)-40],
		"bytes after the end":    pem.EncodeToMemory(&pem.Block{Type: labelInvite, Bytes: append(bytes.Clone(block.Bytes), 0)}),
		"another version":        pem.EncodeToMemory(&pem.Block{Type: labelInvite, Bytes: bytes.Replace(block.Bytes, []byte{0x61, 'v', 1}, []byte{0x61, 'v', 2}, 1)}),
		"another vault's grant":  foreign,
		"a signature of another": bytes.Replace(good, []byte("A"), []byte("B"), 1),
	} {
		if _, err := parseInvite(text); !errors.Is(err, ErrArmour) {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", armour.MaxText+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadInvite(path); !errors.Is(err, ErrArmour) {
		t.Errorf("too long: %v", err)
	}
}

func FuzzInvite(f *testing.F) {
	f.Add(inviteText(f))
	f.Add(requestText(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		if i, err := parseInvite(text); err == nil && (!i.Vault().Defined() || i.Device().IsZero()) {
			t.Fatalf("accepted %+v", i)
		}
		var s ident.Signed
		if armour.Decode(labelRequest, text, &s) == nil {
			_, _ = ledger.VerifyJoinRequest(s)
		}
	})
}
