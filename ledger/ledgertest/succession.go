package ledgertest

import (
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Next returns the successor of the vault's charter with some changes, signed. It is
// not in force: see Succeed.
func (v *Vault) Next(change func(*ledger.Charter)) ident.Signed {
	c := v.Charter
	c.Number, c.Vault, c.Prev = c.Number+1, v.ID(), v.Charter.CID()
	c.Members = slices.Clone(c.Members)
	if change != nil {
		change(&c)
	}
	return must(ledger.SignCharter(v.Owner, c))
}

// Renewed returns m with another vote key, named after a number.
func (m Member) Renewed(number string) Member {
	m.Vote = Key(m.Name + " vote " + number)
	return m
}

// Listed returns how a member stands in a charter.
func (m Member) Listed() ledger.Member {
	d := m.Describe()
	return ledger.Member{Operator: d.Operator, Name: d.Name, Node: d.Node, Vote: d.Vote, Zone: d.Zone}
}

// Start returns a lane's head as a freeze names it; false for a lane without entries.
func (l *Lane) Start() (ledger.LaneStart, bool) {
	return ledger.LaneStart{Lane: l.Key.Public(), Height: l.Height, Entry: l.Head}, l.Height > 0
}

// Freeze makes a member's freeze of the vault's charter, with the heads of lanes.
func (v *Vault) Freeze(m Member, lanes ...*Lane) ident.Signed {
	f := ledger.Freeze{Vault: v.ID(), Charter: v.Charter.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(Start())}
	for _, l := range lanes {
		if start, ok := l.Start(); ok {
			f.Lanes = append(f.Lanes, start)
		}
	}
	return must(ledger.SignFreeze(m.Vote, f))
}

// Freezes makes the freezes of a quorum, the first members.
func (v *Vault) Freezes(lanes ...*Lane) []ident.Signed {
	var out []ident.Signed
	for _, m := range v.Members[:v.Charter.Quorum()] {
		out = append(out, v.Freeze(m, lanes...))
	}
	return out
}

// Succession makes the entry of the owner's lane that gives the charter a successor.
func (l *Lane) Succession(b ledger.CharterBody) Step {
	body := must(b.Encode())
	return l.Sign(l.Draft(ledger.KindCharter, body), body)
}

// Acks makes the acks of a quorum, the first members.
func (v *Vault) Acks(s Step) []ident.Signed {
	var out []ident.Signed
	for _, m := range v.Members[:v.Charter.Quorum()] {
		out = append(out, must(ledger.SignAck(m.Vote, ledger.Ack{Place: s.Propose().Place, Entry: s.Entry.CID(), Operator: m.Operator.Public()})))
	}
	return out
}

// Final makes what members keep of a charter in force: a link with acks.
func (v *Vault) Final(s Step) ledger.Link {
	l := v.Link(s)
	l.Acks = v.Acks(s)
	return l
}

// Succeed makes a successor with its entry, and makes it the vault's charter. The lanes
// stand where the members are frozen. It returns the final link.
func (v *Vault) Succeed(owner *Lane, next ident.Signed, waited bool, lanes ...*Lane) ledger.Link {
	s := owner.Succession(ledger.CharterBody{Charter: next, Freezes: v.Freezes(append(lanes, owner)...), Waited: waited})
	link := v.Final(s)
	owner.Advance(s)
	v.GoOver(next)
	return link
}

// GoOver makes a successor the vault's charter, and its members the vault's: those that
// it has already, and Others.
func (v *Vault) GoOver(next ident.Signed) {
	v.Charter = must(ledger.VerifyNextCharter(next, v.Charter))
	known := append(slices.Clone(v.Members), v.Others...)
	v.Members = nil
	for _, m := range v.Charter.Members {
		i := slices.IndexFunc(known, func(k Member) bool { return k.Listed() == m })
		if i < 0 {
			panic("ledgertest: nobody has the keys of " + m.Name)
		}
		v.Members = append(v.Members, known[i])
	}
}
