package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault/guardian"
)

// The person who confirms a new vault sees each guardian with the whole key: a
// fingerprint that is cut short is one that can be searched for.
func TestShowGuardians(t *testing.T) {
	var people []guardian.Public
	for i, name := range []string{"Anna", "Ben", "Cleo"} {
		key := ident.NewPrivateKey([32]byte{byte(i + 1)}).Public()
		people = append(people, guardian.Public{Name: name, Key: key})
	}
	var out bytes.Buffer
	a := &app{}
	a.showGuardians(&out, people, 2)
	if !strings.HasPrefix(out.String(), "guardians: any 2 of 3 recover the key, and approve\n") {
		t.Error(out.String())
	}
	for _, p := range people {
		if !strings.Contains(out.String(), p.Name) || !strings.Contains(out.String(), p.Key.String()) {
			t.Errorf("%s is not shown:\n%s", p.Name, out.String())
		}
	}
	out.Reset()
	if a.showGuardians(&out, nil, 0); !strings.Contains(out.String(), "losing the kit loses the vault") {
		t.Error(out.String())
	}
}

func TestGuardedBy(t *testing.T) {
	three := []ledger.Guardian{{Name: "Anna"}, {Name: "Ben"}, {Name: "Cleo"}}
	for _, c := range []struct {
		charter ledger.Charter
		want    string
	}{
		{ledger.Charter{}, "guardians: none; the phrase alone opens the vault, and losing it loses everything"},
		{ledger.Charter{Guardians: three, Threshold: 2, Secret: []byte{1}}, "guardians: 2 of 3 recover the key, and approve (Anna, Ben, Cleo); 1 may be lost"},
		{ledger.Charter{Guardians: three, Threshold: 3}, "guardians: 3 of 3 approve (Anna, Ben, Cleo); the key cannot be recovered from them"},
	} {
		if got := guardedBy(c.charter); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}

// What is wrong with shares ends with the code for it, and says what to do.
func TestGuardianCauses(t *testing.T) {
	for err, code := range map[error]int{
		guardian.ErrWrongKey: 12, guardian.ErrForeign: 12, guardian.ErrOtherSplit: 12, guardian.ErrDuplicate: 12, guardian.ErrTooFew: 12,
		guardian.ErrShare: 12, guardian.ErrNoSecret: 12, guardian.ErrKeyFile: 12, guardian.ErrEnvelope: 23, guardian.ErrSecret: 23,
		fmt.Errorf("%w: %w", guardian.ErrEnvelope, guardian.ErrForeign): 23, guardian.ErrKeyMode: 65, guardian.ErrPublicFile: 65,
		guardian.ErrThreshold: 64, guardian.ErrTwice: 64, guardian.ErrName: 64,
	} {
		if e := explain(fmt.Errorf("recover: %w", err)); e.exit.code != code || e.hint == hintNothing {
			t.Errorf("%v: exit %d, hint %q", err, e.exit.code, e.hint)
		}
	}
	if e := explain(errors.Join(guardian.ErrPublicFile, guardian.ErrName)); e.exit != exitConfig {
		t.Errorf("a public file with a bad name: exit %d", e.exit.code)
	}
}
