package vault

import (
	"testing"

	"holdfast/ledger/ledgertest"
	"holdfast/vault/index"
)

// A member is called as the charter has it; others as they call themselves, which is
// nobody's name but theirs.
func TestNamesOfOperators(t *testing.T) {
	v := ledgertest.NewVault("names", 4)
	s := &Session{charter: v.Charter, history: newHistory("")}
	member := s.charter.Members[0]
	for node, name := range map[rune]string{'x': "op-9", 'y': "", 'z': member.Name} {
		s.history.holders.know(index.Holder{Node: shelves(string(node))[0], Operator: shelfOwner(node), Name: name})
	}
	s.history.holders.know(index.Holder{Node: member.Node, Operator: member.Operator, Name: "somebody else"})
	if got := s.nameOf(member.Node); got != member.Name {
		t.Errorf("a member is called %q", got)
	}
	for node, want := range map[rune]string{'x': "op-9", 'y': shelfOwner('y').Short(), 'z': shelfOwner('z').Short()} {
		if got := s.nameOf(shelves(string(node))[0]); got != want {
			t.Errorf("%c is called %q, not %q", node, got, want)
		}
	}
}
