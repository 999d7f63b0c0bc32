package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// rules takes one valid structure, breaks one rule at a time, signs the result past
// all checks, and expects the reader to refuse it.
func rules[T any](t *testing.T, w *world, name string, key ident.PrivateKey, want error, rows map[string]func(*T)) {
	t.Helper()
	all := w.structures()
	s := all[slices.IndexFunc(all, func(s structure) bool { return s.name == name })]
	sign := func(v T) ident.Signed {
		p := must(wire.Encode(v))
		if s.label == "" {
			return plain(p)
		}
		return key.Sign(s.label, s.scope, p)
	}
	var valid T
	if err := wire.Decode(s.signed.Object, &valid); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(sign(valid)); err != nil {
		t.Fatalf("%s as it is: %v", name, err)
	}
	for what, spoil := range rows {
		var v T
		if err := wire.Decode(s.signed.Object, &v); err != nil {
			t.Fatal(err)
		}
		spoil(&v)
		if err := s.verify(sign(v)); !errors.Is(err, want) {
			t.Errorf("%s, %s: %v; want %v", name, what, err, want)
		}
	}
}

const late = 253402300800000 // the year 10000

func long(n int) string { return strings.Repeat("x", n) }

func TestNodeCertificateRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	rules(t, w, "node-certificate", m.Operator, ledger.ErrInvalid, map[string]func(*ledger.NodeCertificate){
		"no network":          func(c *ledger.NodeCertificate) { c.Network = "" },
		"network of dots":     func(c *ledger.NodeCertificate) { c.Network = "a.b" },
		"name too long":       func(c *ledger.NodeCertificate) { c.Name = long(65) },
		"zone too long":       func(c *ledger.NodeCertificate) { c.Zone = long(65) },
		"node is operator":    func(c *ledger.NodeCertificate) { c.Node = c.Operator },
		"vote is operator":    func(c *ledger.NodeCertificate) { c.Vote = c.Operator },
		"vote is node":        func(c *ledger.NodeCertificate) { c.Vote = c.Node },
		"negative serial":     func(c *ledger.NodeCertificate) { c.Serial = -1 },
		"issued before 1970":  func(c *ledger.NodeCertificate) { c.Issued = -1 },
		"expires too late":    func(c *ledger.NodeCertificate) { c.Expires = late },
		"expires when issued": func(c *ledger.NodeCertificate) { c.Expires = c.Issued },
	})
}

func TestNodeRequestRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	rules(t, w, "node-request", m.Node, ledger.ErrInvalid, map[string]func(*ledger.NodeRequest){
		"no network":          func(r *ledger.NodeRequest) { r.Network = "" },
		"zone too long":       func(r *ledger.NodeRequest) { r.Zone = long(65) },
		"vote is node":        func(r *ledger.NodeRequest) { r.Vote = r.Node },
		"negative serial":     func(r *ledger.NodeRequest) { r.Serial = -1 },
		"created before 1970": func(r *ledger.NodeRequest) { r.Created = -1 },
	})
	rules(t, w, "node-request", m.Node, ident.ErrSignature, map[string]func(*ledger.NodeRequest){
		"another's vote key": func(r *ledger.NodeRequest) { r.Vote = w.vault.Members[2].Vote.Public() },
		"another's node key": func(r *ledger.NodeRequest) { r.Node = w.vault.Members[2].Node.Public() },
	})
}

func TestVaultGrantRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	rules(t, w, "vault-grant", m.Operator, ledger.ErrInvalid, map[string]func(*ledger.VaultGrant){
		"negative quota":      func(g *ledger.VaultGrant) { g.Quota = -1 },
		"issued before 1970":  func(g *ledger.VaultGrant) { g.Issued = -1 },
		"expires when issued": func(g *ledger.VaultGrant) { g.Expires = g.Issued },
		"expires too late":    func(g *ledger.VaultGrant) { g.Expires = late },
	})
	rules(t, w, "vault-grant", m.Operator, ledger.ErrMismatch, map[string]func(*ledger.VaultGrant){
		"another operator's": func(g *ledger.VaultGrant) { g.Operator = w.vault.Members[2].Operator.Public() },
	})
	rules(t, w, "vault-grant", m.Operator, ident.ErrSignature, map[string]func(*ledger.VaultGrant){
		"another vault": func(g *ledger.VaultGrant) { g.Vault = ident.SumDagCBOR(nil) },
	})
	g := must(ledger.VerifyVaultGrant(w.vaultGrant(), m.Operator.Public()))
	if g.ValidAt(ledger.Time(g.Expires-1)) != nil || !errors.Is(g.ValidAt(ledger.Time(g.Expires)), ledger.ErrExpired) {
		t.Error("a grant ends at another time than it says")
	}
	g.Expires = 0
	if g.ValidAt(ledger.Time(ledger.Never)) != nil {
		t.Error("a grant without an end ends")
	}
}

func TestHeldRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2]
	rules(t, w, "held", m.Vote, ledger.ErrInvalid, map[string]func(*ledger.Held){
		"negative shards":      func(h *ledger.Held) { h.Shards = -1 },
		"negative bytes":       func(h *ledger.Held) { h.Bytes = -1 },
		"bytes of no shard":    func(h *ledger.Held) { h.Shards = 0 },
		"clock before 1970":    func(h *ledger.Held) { h.Clock = -1 },
		"charter of raw bytes": func(h *ledger.Held) { h.Charter = ident.SumRaw(nil) },
	})
	rules(t, w, "held", m.Vote, ledger.ErrMismatch, map[string]func(*ledger.Held){
		"another vault":    func(h *ledger.Held) { h.Vault = ident.SumDagCBOR(nil) },
		"another node":     func(h *ledger.Held) { h.Node = w.vault.Members[3].Node.Public() },
		"another operator": func(h *ledger.Held) { h.Operator = w.vault.Members[3].Operator.Public() },
	})
}

// SPEC: a quorum of the members say that nothing is left; who says it twice, who is no
// member and who knows another charter does not count.
func TestEmptied(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	word := func(i int, shards int64) ledger.Held {
		return ledger.Held{Charter: ch.CID(), Operator: ch.Members[i].Operator, Shards: shards}
	}
	old, stranger := word(2, 0), word(2, 0)
	old.Charter, stranger.Operator = ident.SumDagCBOR(nil), ledgertest.Key("stranger").Public()
	for name, c := range map[string]struct {
		words []ledger.Held
		want  bool
	}{
		"three of four":            {[]ledger.Held{word(0, 0), word(1, 0), word(2, 0)}, true},
		"one still counts some":    {[]ledger.Held{word(0, 0), word(1, 0), word(2, 0), word(3, 7)}, true},
		"two":                      {[]ledger.Held{word(0, 0), word(1, 0)}, false},
		"two, one of them twice":   {[]ledger.Held{word(0, 0), word(1, 0), word(1, 0)}, false},
		"who has changed his mind": {[]ledger.Held{word(0, 0), word(1, 0), word(2, 1), word(2, 0)}, false},
		"a stranger":               {[]ledger.Held{word(0, 0), word(1, 0), stranger}, false},
		"under another charter":    {[]ledger.Held{word(0, 0), word(1, 0), old}, false},
		"nobody":                   {nil, false},
	} {
		if got := ledger.Emptied(ch, c.words); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNodeRecordRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	rules(t, w, "node-record", m.Node, ledger.ErrInvalid, map[string]func(*ledger.NodeRecord){
		"17 addresses":     func(r *ledger.NodeRecord) { r.Addrs = slices.Repeat([]string{"a"}, 17) },
		"empty address":    func(r *ledger.NodeRecord) { r.Addrs = []string{""} },
		"address too long": func(r *ledger.NodeRecord) { r.Addrs = []string{long(513)} },
		"space of 2^64":    func(r *ledger.NodeRecord) { r.Space = 64 },
		"negative space":   func(r *ledger.NodeRecord) { r.Space = -1 },
		"negative seq":     func(r *ledger.NodeRecord) { r.Seq = -1 },
		"state too long":   func(r *ledger.NodeRecord) { r.State = long(65) },
		"until too late":   func(r *ledger.NodeRecord) { r.Until = late },
	})
	rules(t, w, "node-record", m.Node, ledger.ErrMismatch, map[string]func(*ledger.NodeRecord){
		"another's certificate": func(r *ledger.NodeRecord) { r.Cert = w.vault.Members[2].Certificate },
	})
	rules(t, w, "node-record", m.Node, ident.ErrSignature, map[string]func(*ledger.NodeRecord){
		"forged certificate": func(r *ledger.NodeRecord) { r.Cert.Signature[0] ^= 1 },
	})
	r := must(ledger.VerifyNodeRecord(must(ledger.SignNodeRecord(m.Node, ledger.NodeRecord{Cert: m.Certificate})), m.Node.Public()))
	if r.Certificate().Node != m.Node.Public() {
		t.Error("the certificate is not kept")
	}
}

func TestVaultHintRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[1]
	rules(t, w, "vault-hint", m.Node, ledger.ErrInvalid, map[string]func(*ledger.VaultHint){
		"by no member":         func(h *ledger.VaultHint) { h.Node = ledgertest.Key("x").Public() },
		"negative seq":         func(h *ledger.VaultHint) { h.Seq = -1 },
		"a member twice":       func(h *ledger.VaultHint) { h.Members = append(h.Members, h.Members[0]) },
		"17 addresses":         func(h *ledger.VaultHint) { h.Members[0].Addrs = slices.Repeat([]string{"a"}, 17) },
		"too many members":     func(h *ledger.VaultHint) { h.Members = manyHints(256) },
		"an address too long":  func(h *ledger.VaultHint) { h.Members[0].Addrs = []string{long(513)} },
		"an address that is 0": func(h *ledger.VaultHint) { h.Members[0].Addrs = []string{""} },
	})
	rules(t, w, "vault-hint", m.Node, ledger.ErrMismatch, map[string]func(*ledger.VaultHint){
		"another vault's charter": func(h *ledger.VaultHint) { h.Charter = ledgertest.NewVault("x", 4).Signed },
	})
	rules(t, w, "vault-hint", m.Node, ident.ErrSignature, map[string]func(*ledger.VaultHint){
		"forged charter": func(h *ledger.VaultHint) { h.Charter.Signature[0] ^= 1 },
		"another member": func(h *ledger.VaultHint) { h.Node = w.vault.Members[2].Node.Public() },
	})
}

func manyHints(n int) []ledger.HintMember {
	out := make([]ledger.HintMember, n)
	for i := range out {
		out[i] = ledger.HintMember{Node: ident.PublicKey{1, byte(i >> 8), byte(i), 1}}
	}
	return out
}

func TestReceiptRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[0]
	rules(t, w, "receipt", m.Vote, ledger.ErrInvalid, map[string]func(*ledger.Receipt){
		"no shards":             func(r *ledger.Receipt) { r.Shards = nil },
		"not sorted":            func(r *ledger.Receipt) { slices.Reverse(r.Shards) },
		"a shard twice":         func(r *ledger.Receipt) { r.Shards[1] = r.Shards[0] },
		"two for one place":     func(r *ledger.Receipt) { r.Shards[1].Segment = r.Shards[0].Segment },
		"index 255":             func(r *ledger.Receipt) { r.Shards[1].Index = 255 },
		"negative index":        func(r *ledger.Receipt) { r.Shards[0].Index = -1 },
		"segment of raw bytes":  func(r *ledger.Receipt) { r.Shards[0].Segment = ident.SumRaw(nil) },
		"shard that is encoded": func(r *ledger.Receipt) { r.Shards[0].Shard = ident.SumDagCBOR(nil) },
		"less than 7 days":      func(r *ledger.Receipt) { r.Until = r.Time + 7*24*3600*1000 - 1 },
		"before 1970":           func(r *ledger.Receipt) { r.Time = -1 },
		"until too late":        func(r *ledger.Receipt) { r.Until = late },
	})
	rules(t, w, "receipt", m.Vote, ledger.ErrMismatch, map[string]func(*ledger.Receipt){
		"another vault": func(r *ledger.Receipt) { r.Vault = r.Shards[0].Segment },
	})
	// Signing sorts, and changes nothing of the caller's.
	r := must(ledger.VerifyReceipt(must(ledger.ParseSnapshotBody(w.first.Body)).Receipts[0], m.Vote.Public(), w.vault.ID()))
	slices.Reverse(r.Shards)
	first := r.Shards[0]
	again := must(ledger.VerifyReceipt(must(ledger.SignReceipt(m.Vote, r)), m.Vote.Public(), w.vault.ID()))
	if r.Shards[0] != first || again.Shards[0] == first {
		t.Error("not sorted in a copy")
	}
}

func TestGrantRules(t *testing.T) {
	w := newWorld()
	rules(t, w, "grant-limited", w.vault.Owner, ledger.ErrInvalid, map[string]func(*ledger.Grant){
		"no rights":          func(g *ledger.Grant) { g.Rights = "" },
		"other rights":       func(g *ledger.Grant) { g.Rights = "delete" },
		"for the owner":      func(g *ledger.Grant) { g.Device = w.vault.Owner.Public() },
		"name too long":      func(g *ledger.Grant) { g.Name = long(65) },
		"negative quota":     func(g *ledger.Grant) { g.Quota = -1 },
		"no index recipient": func(g *ledger.Grant) { g.Index = "" },
		"issued before 1970": func(g *ledger.Grant) { g.Issued = -1 },
		"expires too late":   func(g *ledger.Grant) { g.Expires = late },
	})
	rules(t, w, "grant-limited", w.vault.Owner, ledger.ErrMismatch, map[string]func(*ledger.Grant){
		"another vault": func(g *ledger.Grant) { g.Vault = ident.SumDagCBOR(nil) },
	})
}

func TestEntryRules(t *testing.T) {
	w := newWorld()
	raw, other := ident.SumRaw(nil), ident.SumDagCBOR([]byte("x"))
	rules(t, w, "entry-second", w.device, ledger.ErrInvalid, map[string]func(*ledger.Entry){
		"vault of raw bytes":   func(e *ledger.Entry) { e.Vault = raw },
		"charter of raw bytes": func(e *ledger.Entry) { e.Charter = raw },
		"body of raw bytes":    func(e *ledger.Entry) { e.Body = raw },
		"prev of raw bytes":    func(e *ledger.Entry) { e.Prev = raw },
		"height 0":             func(e *ledger.Entry) { e.Height = 0 },
		"height 1 with prev":   func(e *ledger.Entry) { e.Height = 1 },
		"height 2 without":     func(e *ledger.Entry) { e.Prev = ident.CID{} },
		"unknown kind":         func(e *ledger.Entry) { e.Kind = "erase" },
		"clock before 1970":    func(e *ledger.Entry) { e.Clock = -1 },
	})
	rules(t, w, "entry-enrol", w.vault.Owner, ledger.ErrInvalid, map[string]func(*ledger.Entry){
		"a source":           func(e *ledger.Entry) { e.Source[3] = 1 },
		"height 0 and prev":  func(e *ledger.Entry) { e.Height, e.Prev = 0, other },
		"height 1 with prev": func(e *ledger.Entry) { e.Prev = other },
	})
	rules(t, w, "entry-second", w.device, ident.ErrSignature, map[string]func(*ledger.Entry){
		"another lane":  func(e *ledger.Entry) { e.Lane = w.vault.Owner.Public() },
		"another vault": func(e *ledger.Entry) { e.Vault = other },
	})
}

func TestBodyRules(t *testing.T) {
	w := newWorld()
	rules(t, w, "body-snapshot", w.device, ledger.ErrInvalid, map[string]func(*ledger.SnapshotBody){
		"no segments":        func(b *ledger.SnapshotBody) { b.Segments = nil },
		"no holders":         func(b *ledger.SnapshotBody) { b.Holders, b.Receipts = nil, nil },
		"256 holders":        func(b *ledger.SnapshotBody) { b.Holders = slices.Repeat(b.Holders[:1], 256); b.Receipts = b.Holders },
		"a receipt missing":  func(b *ledger.SnapshotBody) { b.Receipts = b.Receipts[1:] },
		"a receipt too many": func(b *ledger.SnapshotBody) { b.Receipts = append(b.Receipts, b.Receipts[0]) },
		"nothing sealed":     func(b *ledger.SnapshotBody) { b.Sealed = nil },
		"too much sealed":    func(b *ledger.SnapshotBody) { b.Sealed = make([]byte, ledger.MaxSealed+1) },
	})
}

func TestPlaceRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2].Vote
	raw, other := ident.SumRaw(nil), ident.SumDagCBOR([]byte("x"))
	rules(t, w, "vote", m, ledger.ErrInvalid, map[string]func(*ledger.Vote){
		"height 0":           func(v *ledger.Vote) { v.Height = 0 },
		"negative attempt":   func(v *ledger.Vote) { v.Attempt = -1 },
		"entry of raw bytes": func(v *ledger.Vote) { v.Entry = raw },
		"clock too late":     func(v *ledger.Vote) { v.Clock = late },
	})
	rules(t, w, "vote", m, ledger.ErrMismatch, map[string]func(*ledger.Vote){
		"another vault":   func(v *ledger.Vote) { v.Vault = other },
		"another charter": func(v *ledger.Vote) { v.Charter = other },
	})
	rules(t, w, "ack", m, ledger.ErrInvalid, map[string]func(*ledger.Ack){
		"height 0":           func(a *ledger.Ack) { a.Height = 0 },
		"entry of raw bytes": func(a *ledger.Ack) { a.Entry = raw },
	})
	rules(t, w, "ack", m, ledger.ErrMismatch, map[string]func(*ledger.Ack){
		"another vault":   func(a *ledger.Ack) { a.Vault = other },
		"another charter": func(a *ledger.Ack) { a.Charter = other },
	})
	rules(t, w, "ack", m, ledger.ErrNotMember, map[string]func(*ledger.Ack){
		"of a stranger": func(a *ledger.Ack) { a.Operator = ledgertest.Key("x").Public() },
	})
	rules(t, w, "proposal", w.device, ledger.ErrInvalid, map[string]func(*ledger.Proposal){
		"height 0":               func(p *ledger.Proposal) { p.Height = 0 },
		"entry of raw bytes":     func(p *ledger.Proposal) { p.Entry = raw },
		"vault of raw bytes":     func(p *ledger.Proposal) { p.Vault = raw },
		"attempt 1, no reports":  func(p *ledger.Proposal) { p.Attempt = 1 },
		"reports at attempt 0":   func(p *ledger.Proposal) { p.Reports = w.reports() },
		"more reports than ever": func(p *ledger.Proposal) { p.Attempt, p.Reports = 1, slices.Repeat(w.reports()[1:2], 256) },
	})
	rules(t, w, "accept", m, ledger.ErrMismatch, map[string]func(*ledger.Acceptance){
		"another vault":   func(a *ledger.Acceptance) { a.Vault = other },
		"another charter": func(a *ledger.Acceptance) { a.Charter = other },
	})
	rules(t, w, "accept", m, ledger.ErrInvalid, map[string]func(*ledger.Acceptance){
		"before 1970": func(a *ledger.Acceptance) { a.Time = -1 },
	})
}

func TestAnswerRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2].Vote
	raw, other := ident.SumRaw(nil), ident.SumDagCBOR([]byte("x"))
	rules(t, w, "heads", m, ledger.ErrMismatch, map[string]func(*ledger.Heads){
		"another vault":    func(h *ledger.Heads) { h.Vault = other },
		"another nonce":    func(h *ledger.Heads) { h.Nonce[0]++ },
		"another operator": func(h *ledger.Heads) { h.Operator = w.vault.Members[1].Operator.Public() },
	})
	rules(t, w, "heads", m, ledger.ErrInvalid, map[string]func(*ledger.Heads){
		"charter of raw bytes":   func(h *ledger.Heads) { h.Charter = raw },
		"clock before 1970":      func(h *ledger.Heads) { h.Clock = -1 },
		"lanes not sorted":       func(h *ledger.Heads) { slices.Reverse(h.Lanes) },
		"a lane twice":           func(h *ledger.Heads) { h.Lanes[1] = h.Lanes[0] },
		"negative height":        func(h *ledger.Heads) { h.Lanes[0].Height, h.Lanes[0].Entry = -1, other },
		"height without entry":   func(h *ledger.Heads) { h.Lanes[0].Height, h.Lanes[0].Entry = 3, ident.CID{} },
		"entry without height":   func(h *ledger.Heads) { h.Lanes[0].Height, h.Lanes[0].Entry = 0, other },
		"entry of raw bytes":     func(h *ledger.Heads) { h.Lanes[0].Height, h.Lanes[0].Entry = 1, raw },
		"lock at height 0":       func(h *ledger.Heads) { h.Lanes[0].Lock = ledger.Lock{Entry: other} },
		"lock: negative attempt": func(h *ledger.Heads) { h.Lanes[0].Lock = ledger.Lock{Height: 1, Attempt: -1, Entry: other} },
		"lock of raw bytes":      func(h *ledger.Heads) { h.Lanes[0].Lock = ledger.Lock{Height: 1, Entry: raw} },
	})
	rules(t, w, "segments", m, ledger.ErrMismatch, map[string]func(*ledger.Segments){
		"another vault":    func(a *ledger.Segments) { a.Vault = other },
		"another nonce":    func(a *ledger.Segments) { a.Nonce[0]++ },
		"another operator": func(a *ledger.Segments) { a.Operator = w.vault.Members[1].Operator.Public() },
		"another segment":  func(a *ledger.Segments) { a.States[1].Segment = other },
		"another order":    func(a *ledger.Segments) { slices.Reverse(a.States) },
		"one less":         func(a *ledger.Segments) { a.States = a.States[:2] },
		"one more":         func(a *ledger.Segments) { a.States = append(a.States, a.States[0]) },
	})
	rules(t, w, "segments", m, ledger.ErrInvalid, map[string]func(*ledger.Segments){
		"charter of raw bytes": func(a *ledger.Segments) { a.Charter = raw },
		"clock before 1970":    func(a *ledger.Segments) { a.Clock = -1 },
		"negative state":       func(a *ledger.Segments) { a.States[0].State = -1 },
		"state 3":              func(a *ledger.Segments) { a.States[0].State = 3 },
	})
	h := must(ledger.VerifyHeads(w.heads(), w.vault.Charter, w.memberOf(2), [16]byte{1, 2, 3}))
	if h.Lane(w.device.Public()).Entry != w.first.Entry.CID() || h.Lane(ledgertest.Key("x").Public()).Height != 0 {
		t.Errorf("%+v", h.Lanes)
	}
}

func (w *world) heads() ident.Signed {
	all := w.structures()
	return all[slices.IndexFunc(all, func(s structure) bool { return s.name == "heads" })].signed
}

func (w *world) memberOf(i int) ledger.Member {
	m, _ := w.vault.Charter.Member(w.vault.Members[i].Operator.Public())
	return m
}

func TestRights(t *testing.T) {
	for _, c := range []struct {
		word         string
		append, read bool
	}{{"append", true, false}, {"read", false, true}, {"full", true, true}} {
		r, err := ledger.ParseRights(c.word)
		if err != nil || r.CanAppend() != c.append || r.CanRead() != c.read {
			t.Errorf("%s: %v", c.word, err)
		}
	}
	for _, word := range []string{"", "Full", "owner"} {
		if r, err := ledger.ParseRights(word); !errors.Is(err, ledger.ErrInvalid) || r.CanAppend() || r.CanRead() {
			t.Errorf("%q: %v", word, err)
		}
	}
}
