package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// guardedOf is a charter of so many members with three guardians and every time set.
func guardedOf(members int) ledger.Charter {
	v := ledgertest.NewVault("lowering", members)
	c := v.Draft("lowering")
	for _, name := range []string{"Ann", "Bob", "Eve"} {
		c.Guardians = append(c.Guardians, ledger.Guardian{
			Name: name, Key: ledgertest.Key(name).Public(), Envelope: []byte("envelope of " + name), Share: ledgertest.Key(name + " share").Seed(),
		})
	}
	c.Threshold = 2
	c.Expiry = ledger.Expiry{After: 90 * 24 * 3600, Newer: 7}
	return c
}

// replace exchanges the first so many members for strangers.
func replace(c *ledger.Charter, n int) {
	remove(c, n)
	add(c, n)
}

func remove(c *ledger.Charter, n int) { c.Members = slices.Clone(c.Members[n:]) }

func add(c *ledger.Charter, n int) {
	for i := range n {
		c.Members = append(c.Members, ledgertest.NewMember(fmt.Sprint("stranger ", i)).Listed())
	}
	slices.SortFunc(c.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
}

// One row for each way in which a charter gives less than the one before, and for each
// change that looks like one and is none.
func TestLowers(t *testing.T) {
	for _, row := range []struct {
		what    string
		members int
		change  func(*ledger.Charter)
		why     string // a part of the only reason; empty if nothing is lowered
	}{
		{"nothing", 4, func(*ledger.Charter) {}, ""},
		{"new vote keys of all", 4, func(c *ledger.Charter) {
			for i := range c.Members {
				c.Members[i].Vote = ledgertest.Key(fmt.Sprint("fresh ", i)).Public()
			}
		}, ""},
		{"one of 4 replaced", 4, func(c *ledger.Charter) { replace(c, 1) }, ""},
		{"one of 4 removed", 4, func(c *ledger.Charter) { remove(c, 1) }, ""},
		{"one of 4 added", 4, func(c *ledger.Charter) { add(c, 1) }, ""},
		{"2 of 4 removed", 4, func(c *ledger.Charter) { remove(c, 2) }, "2 members are removed, 1 may be"},
		{"2 added to 4", 4, func(c *ledger.Charter) { add(c, 2) }, "2 members are added, 1 may be"},
		{"one of 3 removed", 3, func(c *ledger.Charter) { remove(c, 1) }, "1 members are removed, 0 may be"},
		{"one added to 3", 3, func(c *ledger.Charter) { add(c, 1) }, "1 members are added, 0 may be"},
		{"2 of 7 replaced", 7, func(c *ledger.Charter) { replace(c, 2) }, ""},
		{"another node of an operator", 3, func(c *ledger.Charter) {
			c.Members[0].Node = ledgertest.Key("other node").Public()
		}, "members are"},
		{"guardian removed", 4, func(c *ledger.Charter) { c.Guardians = c.Guardians[:2] }, `guardian "Eve" is removed`},
		{"guardian added", 4, func(c *ledger.Charter) {
			c.Guardians = append(c.Guardians, ledger.Guardian{Name: "Kim", Key: ledgertest.Key("Kim").Public(), Envelope: []byte("e")})
		}, `guardian "Kim" is added`},
		{"guardian with another envelope", 4, func(c *ledger.Charter) { c.Guardians[0].Envelope = []byte("empty") }, `guardian "Ann" gets another share`},
		{"guardian with another share", 4, func(c *ledger.Charter) { c.Guardians[0].Share[0] ^= 1 }, `guardian "Ann" gets another share`},
		{"guardian with another name", 4, func(c *ledger.Charter) { c.Guardians[0].Name = "An" }, `guardian "An" gets another share`},
		{"guardians in another order", 4, func(c *ledger.Charter) { slices.Reverse(c.Guardians) }, `guardian "Eve" gets another share`},
		{"another secret", 4, func(c *ledger.Charter) { c.Secret = []byte("garbage") }, "the guardians' shares open another secret"},
		{"threshold lowered", 4, func(c *ledger.Charter) { c.Threshold = 1 }, "1 approvals are enough instead of 2"},
		{"threshold raised", 4, func(c *ledger.Charter) { c.Threshold = 3 }, ""},
		{"retention lowered", 4, func(c *ledger.Charter) { c.Retention-- }, "the retention is"},
		{"cooling-off lowered", 4, func(c *ledger.Charter) { c.Cooling-- }, "the cooling-off is"},
		{"trash lowered", 4, func(c *ledger.Charter) { c.Trash-- }, "the time in the trash is"},
		{"all times raised", 4, func(c *ledger.Charter) { c.Retention++; c.Cooling++; c.Trash++ }, ""},
		{"expiry earlier", 4, func(c *ledger.Charter) { c.Expiry.After-- }, "routine expiry is widened"},
		{"expiry with fewer newer ones", 4, func(c *ledger.Charter) { c.Expiry.Newer-- }, "routine expiry is widened"},
		{"expiry narrowed", 4, func(c *ledger.Charter) { c.Expiry.After++; c.Expiry.Newer++ }, ""},
		{"expiry ended", 4, func(c *ledger.Charter) { c.Expiry = ledger.Expiry{} }, ""},
		{"less redundant code", 8, func(c *ledger.Charter) { c.Code.N-- }, "survives the loss of 3 shards instead of 4"},
		{"more redundant code", 8, func(c *ledger.Charter) { c.Code.K-- }, ""},
		{"another recipient", 4, func(c *ledger.Charter) { c.Identity++; c.Recipient += "q" }, ""},
		{"an operator admitted", 4, func(c *ledger.Charter) { c.Admitted = []ident.PublicKey{ledgertest.Key("x").Public()} }, ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			prev, next := guardedOf(row.members), guardedOf(row.members)
			row.change(&next)
			why := ledger.Lowers(prev, prev, next)
			waits, err := ledger.CheckLowering(prev, prev, next)
			if err != nil || waits != (row.why != "") {
				t.Errorf("waits: %v, %v", waits, err)
			}
			if row.why == "" && len(why) > 0 || row.why != "" && (len(why) == 0 || !strings.Contains(why[0], row.why)) {
				t.Errorf("lowers %q", why)
			}
		})
	}
}

// Expiry that was not there before is a lowering, whatever it says.
func TestLowersByNewExpiry(t *testing.T) {
	prev, next := guardedOf(4), guardedOf(4)
	prev.Expiry = ledger.Expiry{}
	if why := ledger.Lowers(prev, prev, next); len(why) != 1 || why[0] != "routine expiry is introduced" {
		t.Errorf("lowers %q", why)
	}
}

// Members are counted from the last charter that waited: one replaced member after
// another adds up.
func TestLowersByAndBy(t *testing.T) {
	base := guardedOf(4)
	second, third := guardedOf(4), guardedOf(4)
	replace(&second, 1)
	replace(&third, 2)
	if why := ledger.Lowers(base, base, second); len(why) > 0 {
		t.Errorf("the first one lowers %q", why)
	}
	if why := ledger.Lowers(base, second, third); len(why) != 2 {
		t.Errorf("the second one lowers %q", why)
	}
	if why := ledger.Lowers(second, second, third); len(why) > 0 {
		t.Errorf("after one that waited, the second one lowers %q", why)
	}
}

// Without guardians nothing is lowered; the first guardians wait, and need nobody.
func TestLoweringWithoutGuardians(t *testing.T) {
	prev, next := guardedOf(4), guardedOf(4)
	prev.Guardians, prev.Threshold = nil, 0
	if waits, err := ledger.CheckLowering(prev, prev, next); !waits || err != nil {
		t.Errorf("first guardians: %v, %v", waits, err)
	}
	if !ledger.Appoints(prev, next) || ledger.Appoints(next, next) {
		t.Error("who appoints the first guardians is not told apart")
	}
	next.Cooling--
	if _, err := ledger.CheckLowering(prev, prev, next); !errors.Is(err, ledger.ErrForbidden) {
		t.Errorf("first guardians and a shorter cooling-off: %v", err)
	}
	next.Guardians, next.Threshold = nil, 0
	if _, err := ledger.CheckLowering(prev, prev, next); !errors.Is(err, ledger.ErrForbidden) {
		t.Errorf("a shorter cooling-off: %v", err)
	}
	next.Cooling += 2
	if waits, err := ledger.CheckLowering(prev, prev, next); waits || err != nil {
		t.Errorf("a longer cooling-off: %v, %v", waits, err)
	}
}
