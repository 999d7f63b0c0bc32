package main

import (
	"errors"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/vault"
)

// What is said of missing shards is what can become of them: that members bring them back
// only if there is a quorum of them, and somebody to take what has no holder.
func TestOutlook(t *testing.T) {
	ch := ledgertest.NewVault("outlook", 4).Charter
	n := ch.Coded().N
	if len(ch.Members) != n || ch.Quorum() != 3 {
		t.Fatalf("%d members, a quorum is %d, code %v", len(ch.Members), ch.Quorum(), ch.Coded())
	}
	spare := ch
	spare.Admitted = []ident.PublicKey{ledgertest.Key("spare").Public()}
	away := func(operators ...ident.PublicKey) (st vault.Status) {
		for _, o := range operators {
			st.Holders = append(st.Holders, vault.HolderStatus{Operator: o, Name: o.Short(), Err: errors.New("out of reach")})
		}
		return st
	}
	a, b := ch.Members[0].Operator, ch.Members[1].Operator
	former := ledgertest.Key("former").Public()
	for name, c := range map[string]struct {
		got, want string
	}{
		"a quorum is missing":       {outlook(away(a), ch, 2), "nothing is repaired or backed up before 3 of the 4 members answer"},
		"nobody can take it":        {outlook(away(a), ch, 3), "admits no other operator to take what " + a.Short() + " held"},
		"one node of two":           {outlook(away(a, a), spare, 3), "bring back"},
		"somebody can":              {outlook(away(a), spare, 3), "bring back"},
		"for one, and not for both": {outlook(away(a, b), spare, 3), "held: bring it back, or put another"},
		"he is replaced already":    {outlook(away(former), ch, 4), "bring back"},
		"the holder itself can":     {outlook(vault.Status{Holders: []vault.HolderStatus{{Operator: a, Missing: 1}}}, ch, 4), "bring back"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%s: %q", name, c.got)
		}
	}
}
