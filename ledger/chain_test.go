package ledger_test

import (
	"errors"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// reigns is a vault that has had three charters, and two lanes that have gone on
// through all of them.
type reigns struct {
	vault       *ledgertest.Vault
	owner, lane *ledgertest.Lane
	first       ident.Signed
	successions []ledger.Link
	links       []ledger.Link // of the device's lane, by height
	starts      []int64       // of the lane, of each charter
}

func newReigns() *reigns {
	v := ledgertest.NewVault("chain", 4)
	h := &reigns{vault: v, first: v.Signed, owner: v.OwnerLane(), lane: v.Lane(ledgertest.Key("chain device"))}
	h.owner.Advance(h.owner.Enrol(v.Grant(h.lane.Key, ledger.Append)))
	for i := range 3 {
		h.starts = append(h.starts, h.lane.Height)
		h.snapshot("a")
		h.snapshot("b")
		if i < 2 {
			h.succeed()
		}
	}
	return h
}

func (h *reigns) snapshot(tag string) {
	s := h.lane.Snapshot(tag, 1)
	h.links = append(h.links, h.vault.Link(s))
	h.lane.Advance(s)
}

// succeed gives every member another vote key.
func (h *reigns) succeed() {
	h.vault.Others = nil
	next := h.vault.Next(func(c *ledger.Charter) {
		for i, m := range h.vault.Members {
			fresh := m.Renewed(string(rune('0' + c.Number)))
			h.vault.Others = append(h.vault.Others, fresh)
			c.Members[i] = fresh.Listed()
		}
	})
	h.successions = append(h.successions, h.vault.Succeed(h.owner, next, false, h.lane))
}

func (h *reigns) chain() ledger.Chain { return must(ledger.ParseChain(h.first, h.successions)) }

func TestChain(t *testing.T) {
	h := newReigns()
	c := h.chain()
	if c.Len() != 3 || c.ID() != h.first.CID() || c.Current().CID() != h.vault.Charter.CID() || c.First().CID() != h.first.CID() {
		t.Fatalf("%d charters, the newest is %s", c.Len(), c.Current().CID())
	}
	if len(c.Charters()) != 3 || len(c.Successions()) != 2 || len(c.Since(c.First().CID())) != 3 || len(c.Since(c.Current().CID())) != 1 {
		t.Error("charters are missing")
	}
	if len(c.Since(ident.SumDagCBOR(nil))) != 0 {
		t.Error("a charter that is not there has successors")
	}
	for i, l := range h.links {
		e, cert, err := c.Verify(l)
		if err != nil || e.Height != int64(i+1) || cert.Time().IsZero() {
			t.Errorf("entry at height %d: %v", i+1, err)
		}
		if got := c.Under(e.Lane, e.Height).CID(); got != e.Charter {
			t.Errorf("entry at height %d stands under %s, not %s", e.Height, got, e.Charter)
		}
	}
	for i, l := range h.successions {
		e, _, err := c.Verify(l)
		if err != nil || c.Under(e.Lane, e.Height).Number != int64(i+1) || c.Under(e.Lane, e.Height+1).Number != int64(i+2) {
			t.Errorf("succession %d: %v", i, err)
		}
	}
	if starts := c.Starts(); len(starts) != 2 || !slices.ContainsFunc(starts, func(l ledger.LaneStart) bool {
		return l.Lane == h.lane.Key.Public() && l.Height == h.starts[2]
	}) {
		t.Errorf("the newest starts at %v", starts)
	}
}

// A chain that somebody shows may be cut anywhere, and is then shorter; it is never
// another one.
func TestChainIsExtended(t *testing.T) {
	h := newReigns()
	c := must(ledger.NewChain(h.first))
	if _, err := c.Append(h.successions[1]); !errors.Is(err, ledger.ErrMismatch) {
		t.Errorf("the third after the first: %v", err)
	}
	second := must(c.Append(h.successions[0]))
	if c.Len() != 1 || second.Len() != 2 {
		t.Error("Append changes the chain it is called on")
	}
	if _, err := second.Append(h.successions[0]); err == nil {
		t.Error("the second after itself")
	}
	if _, _, err := second.Verify(h.links[5]); !errors.Is(err, ledger.ErrCharter) {
		t.Errorf("an entry under a charter that is not known: %v", err)
	}
	if _, err := ledger.ParseChain(h.vault.Next(nil), nil); err == nil {
		t.Error("a chain that does not begin with the first charter")
	}
}

// What stands above the start of the charter after its own, or does not go on from the
// start of its own, is void whoever has signed it.
func TestChainVoids(t *testing.T) {
	h := newReigns()
	c := h.chain()
	charters := c.Since(c.ID())
	lane, other := h.lane.Key.Public(), ident.SumDagCBOR([]byte("other"))
	at := func(charter int, height int64, prev ident.CID) ledger.Entry {
		return ledger.Entry{Charter: charters[charter].CID(), Lane: lane, Height: height, Prev: prev}
	}
	second, third := startsOf(h.successions[0], charters[0]), startsOf(h.successions[1], charters[1])
	for what, row := range map[string]struct {
		e    ledger.Entry
		name ident.CID
		want error
	}{
		"below the start":                 {at(0, 1, ident.CID{}), other, nil},
		"the start itself":                {at(0, 2, other), second[lane], nil},
		"another entry at the start":      {at(0, 2, other), other, ledger.ErrVoid},
		"above the start":                 {at(0, 3, second[lane]), other, ledger.ErrVoid},
		"far above the start":             {at(0, 9, other), other, ledger.ErrVoid},
		"the first under the second":      {at(1, 3, second[lane]), other, nil},
		"not from the start":              {at(1, 3, other), other, ledger.ErrVoid},
		"below the start of its own":      {at(1, 2, other), other, ledger.ErrVoid},
		"the last of the second":          {at(1, 4, other), third[lane], nil},
		"above the last of the second":    {at(1, 5, other), other, ledger.ErrVoid},
		"the newest has no end":           {at(2, 99, other), other, nil},
		"a lane that begins with a later": {ledger.Entry{Charter: charters[1].CID(), Lane: ledgertest.Key("new").Public(), Height: 1}, other, ledger.ErrVoid},
		"a lane that begins now":          {ledger.Entry{Charter: charters[2].CID(), Lane: ledgertest.Key("new").Public(), Height: 1}, other, nil},
		"no charter of the vault":         {ledger.Entry{Charter: other, Lane: lane, Height: 1}, other, ledger.ErrCharter},
	} {
		if err := c.Stands(row.e, row.name); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func startsOf(l ledger.Link, ch ledger.Charter) map[ident.PublicKey]ident.CID {
	e := must(ledger.VerifyEntry(l.Entry))
	out := map[ident.PublicKey]ident.CID{}
	for _, s := range must(ledger.ReadEffect(ch, e, l.Body)).Succession.Starts {
		out[s.Lane] = s.Entry
	}
	return out
}

// One row for each thing without which a charter is not in force.
func TestChainRefuses(t *testing.T) {
	for what, row := range map[string]struct {
		spoil func(h *reigns, s ledgertest.Step, l *ledger.Link)
		want  error
	}{
		"no acks":         {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { l.Acks = nil }, ledger.ErrNoQuorum},
		"too few acks":    {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { l.Acks = l.Acks[1:] }, ledger.ErrNoQuorum},
		"acks not sorted": {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { slices.Reverse(l.Acks) }, ledger.ErrInvalid},
		"one ack twice":   {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { l.Acks[1] = l.Acks[0] }, ledger.ErrInvalid},
		"no certificate":  {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { l.Cert = nil }, nil},
		"no body":         {func(_ *reigns, _ ledgertest.Step, l *ledger.Link) { l.Body = nil }, ledger.ErrInvalid},
		"acks of another entry": {func(h *reigns, _ ledgertest.Step, l *ledger.Link) {
			l.Acks = h.vault.Acks(h.owner.Enrol(h.vault.Grant(ledgertest.Key("x"), ledger.Read)))
		}, ledger.ErrMismatch},
		"acks of another attempt": {func(h *reigns, s ledgertest.Step, l *ledger.Link) {
			place := s.Propose().Place
			place.Attempt = 1
			m := h.vault.Members[0]
			l.Acks[0] = must(ledger.SignAck(m.Vote, ledger.Ack{Place: place, Entry: s.Entry.CID(), Operator: m.Operator.Public()}))
		}, ledger.ErrMismatch},
		"an entry of another kind": {func(h *reigns, _ ledgertest.Step, l *ledger.Link) {
			*l = h.vault.Final(h.owner.Enrol(h.vault.Grant(ledgertest.Key("x"), ledger.Read)))
		}, ledger.ErrInvalid},
	} {
		t.Run(what, func(t *testing.T) {
			h := newReigns()
			s := h.owner.Succession(ledger.CharterBody{Charter: h.vault.Next(nil), Freezes: h.vault.Freezes(h.owner, h.lane)})
			l := h.vault.Final(s)
			if _, err := h.chain().Append(l); err != nil {
				t.Fatal(err)
			}
			row.spoil(h, s, &l)
			if _, err := h.chain().Append(l); err == nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// One row for each rule of the body of a charter's entry.
func TestSuccessionRules(t *testing.T) {
	for what, row := range map[string]struct {
		spoil func(h *reigns, b *ledger.CharterBody)
		want  error
	}{
		"too few freezes": {func(_ *reigns, b *ledger.CharterBody) { b.Freezes = b.Freezes[1:] }, ledger.ErrNoQuorum},
		"too many freezes": {func(h *reigns, b *ledger.CharterBody) {
			b.Freezes = append(b.Freezes, h.vault.Freeze(h.vault.Members[3]))
		}, ledger.ErrNoQuorum},
		"freezes not sorted": {func(_ *reigns, b *ledger.CharterBody) { slices.Reverse(b.Freezes) }, ledger.ErrInvalid},
		"one freeze twice":   {func(_ *reigns, b *ledger.CharterBody) { b.Freezes[1] = b.Freezes[0] }, ledger.ErrInvalid},
		"a stranger's freeze": {func(h *reigns, b *ledger.CharterBody) {
			b.Freezes[0] = h.vault.Freeze(ledgertest.NewMember("stranger"), h.owner)
		}, ledger.ErrNotMember},
		"a freeze with an old key": {func(h *reigns, b *ledger.CharterBody) {
			m := h.vault.Members[0]
			m.Vote = ledgertest.Key(m.Name + " vote")
			b.Freezes[0] = h.vault.Freeze(m, h.owner)
		}, ident.ErrSignature},
		"frozen above": {func(h *reigns, b *ledger.CharterBody) {
			owner := *h.owner
			owner.Advance(owner.Enrol(h.vault.Grant(ledgertest.Key("x"), ledger.Read)))
			b.Freezes[2] = h.vault.Freeze(h.vault.Members[2], &owner)
		}, ledger.ErrFork},
		"frozen below":       {func(h *reigns, b *ledger.CharterBody) { b.Freezes = h.vault.Freezes(h.lane) }, ledger.ErrFork},
		"no successor":       {func(h *reigns, b *ledger.CharterBody) { b.Charter = h.first }, ledger.ErrMismatch},
		"waited for nothing": {func(_ *reigns, b *ledger.CharterBody) { b.Waited = true }, ledger.ErrLowers},
		"did not wait": {func(h *reigns, b *ledger.CharterBody) {
			b.Charter = h.vault.Next(func(c *ledger.Charter) { c.Cooling-- })
		}, ledger.ErrForbidden},
		"first guardians that did not wait": {func(h *reigns, b *ledger.CharterBody) {
			b.Charter = h.vault.Next(func(c *ledger.Charter) { g := guardedOf(4); c.Guardians, c.Threshold = g.Guardians, g.Threshold })
		}, ledger.ErrLowers},
	} {
		t.Run(what, func(t *testing.T) {
			h := newReigns()
			b := ledger.CharterBody{Charter: h.vault.Next(nil), Freezes: h.vault.Freezes(h.owner, h.lane)}
			row.spoil(h, &b)
			if _, err := h.chain().Append(h.vault.Final(h.owner.Succession(b))); !errors.Is(err, row.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A charter whose members differ counts from the charter that waited.
func TestChainBase(t *testing.T) {
	h := newReigns()
	stranger := ledgertest.NewMember("stranger")
	h.vault.Others = []ledgertest.Member{stranger}
	g := guardedOf(4)
	next := h.vault.Next(func(c *ledger.Charter) {
		c.Members[0] = stranger.Listed()
		slices.SortFunc(c.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
		c.Guardians, c.Threshold = g.Guardians, g.Threshold
	})
	h.successions = append(h.successions, h.vault.Succeed(h.owner, next, true, h.lane))
	c := h.chain()
	if c.Base().CID() != c.Current().CID() || h.vault.Charter.CID() != c.Current().CID() {
		t.Errorf("base is charter %d", c.Base().Number)
	}
}

// Where members claim different heads, the highest counts, then the higher attempt.
func TestStarts(t *testing.T) {
	lane, a, b := ledgertest.Key("lane").Public(), ident.SumDagCBOR([]byte("a")), ident.SumDagCBOR([]byte("b"))
	freeze := func(height int64, entry ident.CID, attempt int64) ledger.Freeze {
		return ledger.Freeze{Lanes: []ledger.LaneStart{{Lane: lane, Height: height, Entry: entry, Attempt: attempt}}}
	}
	for what, row := range map[string]struct {
		freezes []ledger.Freeze
		want    ledger.LaneStart
	}{
		"one":             {[]ledger.Freeze{freeze(3, a, 0)}, freeze(3, a, 0).Lanes[0]},
		"higher":          {[]ledger.Freeze{freeze(3, a, 9), freeze(4, b, 0), {}}, freeze(4, b, 0).Lanes[0]},
		"later attempt":   {[]ledger.Freeze{freeze(3, a, 1), freeze(3, b, 0)}, freeze(3, a, 1).Lanes[0]},
		"the other order": {[]ledger.Freeze{freeze(3, b, 0), freeze(3, a, 1)}, freeze(3, a, 1).Lanes[0]},
	} {
		if got := ledger.Starts(row.freezes); len(got) != 1 || got[0] != row.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestFreezeRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[0]
	lane, entry := w.device.Public(), w.first.Entry.CID()
	for what, spoil := range map[string]func(*ledger.Freeze){
		"height 0":         func(f *ledger.Freeze) { f.Lanes[0].Height = 0 },
		"negative attempt": func(f *ledger.Freeze) { f.Lanes[0].Attempt = -1 },
		"no entry":         func(f *ledger.Freeze) { f.Lanes[0].Entry = ident.CID{} },
		"lane twice":       func(f *ledger.Freeze) { f.Lanes = append(f.Lanes, f.Lanes[0]) },
		"too many lanes":   func(f *ledger.Freeze) { f.Lanes = make([]ledger.LaneStart, ledger.MaxLanes+1) },
		"no charter":       func(f *ledger.Freeze) { f.Charter = ident.SumRaw(nil) },
		"before 1970":      func(f *ledger.Freeze) { f.Clock = -1 },
	} {
		f := ledger.Freeze{Vault: w.vault.ID(), Charter: w.vault.Charter.CID(), Operator: m.Operator.Public(),
			Lanes: []ledger.LaneStart{{Lane: lane, Height: 1, Entry: entry}}}
		spoil(&f)
		if _, err := ledger.SignFreeze(m.Vote, f); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestMemberKeyRules(t *testing.T) {
	m := ledgertest.NewMember("member key")
	cert := must(ledger.VerifyNodeCertificate(m.Certificate))
	vault, nonce := ident.SumDagCBOR([]byte("vault")), [16]byte{1}
	good := ledger.MemberKey{Vault: vault, Nonce: nonce, Operator: cert.Operator, Node: cert.Node, Vote: ledgertest.Key("fresh").Public()}
	other := ledgertest.NewMember("another")
	for what, row := range map[string]struct {
		spoil func(*ledger.MemberKey)
		key   ident.PrivateKey
		want  error
	}{
		"good":            {func(*ledger.MemberKey) {}, m.Vote, nil},
		"another vault":   {func(k *ledger.MemberKey) { k.Vault = ident.CID{} }, m.Vote, ledger.ErrMismatch},
		"another nonce":   {func(k *ledger.MemberKey) { k.Nonce[0]++ }, m.Vote, ledger.ErrMismatch},
		"another node":    {func(k *ledger.MemberKey) { k.Node = other.Node.Public() }, m.Vote, ledger.ErrMismatch},
		"another's word":  {func(*ledger.MemberKey) {}, other.Vote, ident.ErrSignature},
		"its own word":    {func(*ledger.MemberKey) {}, ledgertest.Key("fresh"), ident.ErrSignature},
		"the node's key":  {func(k *ledger.MemberKey) { k.Vote = k.Node }, m.Vote, ledger.ErrInvalid},
		"before 1970":     {func(k *ledger.MemberKey) { k.Clock = -1 }, m.Vote, ledger.ErrInvalid},
		"no key":          {func(k *ledger.MemberKey) { k.Vote = ident.PublicKey{} }, m.Vote, ledger.ErrInvalid},
		"no vault's name": {func(k *ledger.MemberKey) { k.Vault = ident.SumRaw(nil) }, m.Vote, ledger.ErrInvalid},
	} {
		k := good
		row.spoil(&k)
		s, err := ledger.SignMemberKey(row.key, k)
		if err == nil {
			_, err = ledger.VerifyMemberKey(s, cert, vault, nonce)
		}
		if !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The identity's number never goes down, and names one recipient.
func TestRotation(t *testing.T) {
	v := ledgertest.NewVault("rotation", 4)
	prev := v.Charter
	prev.Identity = 3
	for what, row := range map[string]struct {
		change func(*ledger.Charter)
		ok     bool
	}{
		"the same":                  {func(c *ledger.Charter) { c.Identity = 3 }, true},
		"the next":                  {func(c *ledger.Charter) { c.Identity, c.Recipient = 4, c.Recipient+"q" }, true},
		"an earlier":                {func(c *ledger.Charter) { c.Identity = 2 }, false},
		"another under that number": {func(c *ledger.Charter) { c.Identity, c.Recipient = 3, c.Recipient+"q" }, false},
	} {
		_, err := ledger.VerifyNextCharter(v.Next(row.change), prev)
		if ok := err == nil; ok != row.ok || !ok && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
