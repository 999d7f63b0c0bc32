package guardian

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// Key is what a guardian keeps: one key that signs approvals and vetoes, and an
// identity that opens the envelope with the share. The two have nothing to do with
// each other: who approves does not show the share, and who gives the share away
// does not approve. It is a secret.
type Key struct {
	Name     string
	Approval ident.PrivateKey
	Identity seal.Identity
}

// Generate makes the key of a guardian, from crypto/rand.
func Generate(name string) (Key, error) {
	if err := checkName(name); err != nil {
		return Key{}, err
	}
	approval, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, err
	}
	var seed [32]byte
	rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	id, err := seal.NewIdentity(seed)
	if err != nil {
		return Key{}, err
	}
	return Key{Name: name, Approval: approval, Identity: id}, nil
}

// Public returns what the owner of a vault needs in order to name the guardian.
func (k Key) Public() Public {
	return Public{Name: k.Name, Key: k.Approval.Public(), Recipient: k.Identity.Recipient()}
}

// Format hides the secrets.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, "<guardian key>") }

// LogValue hides the secrets.
func (k Key) LogValue() slog.Value { return slog.StringValue("<guardian key>") }
