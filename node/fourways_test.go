package node

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
	"holdfast/p2p/rpc/pipenet"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/storetest"
)

// persona is somebody who sends a node everything that the two protocols know.
type persona struct {
	name  string
	key   ident.PrivateKey // of the channel
	signs ident.PrivateKey // whatever is signed
	grant ident.Signed     // shown; zero for none
	lane  *ledgertest.Lane // of the key that signs
}

// stage is a node that serves both protocols, with a shard that a certified entry
// names, one that none does yet, and everybody who might want them gone.
type stage struct {
	*bench
	net       *pipenet.Network
	owner     *ledgertest.Lane
	lane      *ledgertest.Lane // of the device with full rights
	snapshot  ledgertest.Step
	certified storetest.Segment
	loose     storetest.Segment
	kept      map[store.Key][]byte // the payloads of both
	seen      map[string]bool      // verbs that have come through, as "ledger propose"
}

func newStage(t *testing.T) *stage {
	// The first 3 of 4 members have voted for everything; this node was told of it.
	v := ledgertest.NewVault("bench", 4)
	s := &stage{bench: newBenchOf(t, t.TempDir(), v, 3), net: pipenet.New(), owner: v.OwnerLane(), seen: map[string]bool{}}
	if _, err := s.ledgers.Accept(t.Context(), v.Signed); err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.fill()
	return s
}

// serve offers both protocols, and notes which verbs come.
func (s *stage) serve() {
	host := s.net.Host(s.me.Node.Public())
	s.t.Cleanup(host.Close)
	ledgerrpc.Serve(host, ledgerrpc.Config{
		Reader: s.ledgers, Voter: s.ledgers, Witness: s.ledgers, Placer: s.ledgers, Auditor: s.ledgers, Counter: s.ledgers, Successor: s.ledgers,
		Docket: s.ledgers, Releaser: s.ledgers, Undoer: s.ledgers,
		Admit: func(ctx context.Context, r ledgerrpc.Request) error {
			s.seen["ledger "+string(r.Verb)] = true
			return s.ledgers.admit(ctx, r)
		},
		Limits: ledgerrpc.Limits{Refused: s.node.meters.refused(protocolLedger)},
	})
	shardrpc.Serve(host, s.shelf, shardrpc.Limits{Refused: s.node.meters.refused(protocolShard)})
}

// fill enrols devices and puts the shards.
func (s *stage) fill() {
	t := s.t
	device := ledgertest.Key("full")
	s.adopt(s.owner, s.owner.Enrol(s.vault.Grant(device, ledger.Full)))
	for _, d := range []struct {
		name   string
		rights ledger.Rights
	}{{"append", ledger.Append}, {"read", ledger.Read}} {
		s.adopt(s.owner, s.owner.Enrol(s.vault.Grant(ledgertest.Key(d.name), d.rights)))
	}
	s.certified, s.loose = segment(t, 40_000, 1), segment(t, 40_000, 2)
	session, err := s.open(device.Public(), shardrpc.Credential{Charter: s.vault.Signed, Grant: s.vault.Grant(device, ledger.Full)})
	must(t, err)
	s.kept = map[store.Key][]byte{}
	for _, g := range []storetest.Segment{s.certified, s.loose} {
		s.kept[s.mustPut(session, g, 3)] = g.Rows[3]
	}
	s.lane = s.vault.Lane(device)
	c := s.lane.Commit("one", 1)
	c.Body.Segments[0].Descriptor = s.certified.Descriptor
	c.Promise(s.lane)
	s.snapshot = s.lane.Finish(c)
	s.adopt(s.lane, s.snapshot)
	if r, _ := s.record(s.certified.Key(s.vault.ID(), 3)); !r.Certified {
		t.Fatal("the shard is not certified")
	}
}

func (s *stage) adopt(l *ledgertest.Lane, step ledgertest.Step) {
	s.t.Helper()
	link, err := s.vault.Link(step).Encode()
	must(s.t, err)
	must(s.t, s.ledgers.Adopt(s.t.Context(), s.vault.ID(), link, step.Body))
	l.Advance(step)
}

// personas is everybody: a stranger with a stolen grant too, and at last the owner,
// who signs himself whatever he likes.
func (s *stage) personas() []persona {
	device := func(name string, rights ledger.Rights) persona {
		key := ledgertest.Key(name)
		return persona{name: "device " + name, key: key, signs: key, grant: s.vault.Grant(key, rights), lane: s.vault.Lane(key)}
	}
	stranger, thief := device("stranger", ledger.Full), device("thief", ledger.Full)
	stranger.grant, thief.grant = ident.Signed{}, s.vault.Grant(ledgertest.Key("full"), ledger.Full)
	full := device("full", ledger.Full)
	full.lane = s.lane
	member := s.vault.Members[0]
	return []persona{
		stranger, thief, device("append", ledger.Append), device("read", ledger.Read), full,
		{name: "member", key: member.Node, signs: member.Vote, lane: s.vault.Lane(member.Vote)},
		{name: "owner", key: ledgertest.Key("office"), signs: s.vault.Owner, grant: s.vault.Grant(ledgertest.Key("office"), ledger.Full), lane: s.owner},
	}
}

// wantEverything checks that no byte has left.
func (s *stage) wantEverything(after string) {
	s.t.Helper()
	p := s.parts()
	for k, want := range s.kept {
		if got, err := storetest.ReadAll(s.t.Context(), p.shelf, k); err != nil || !bytes.Equal(got, want) {
			s.t.Fatalf("after %s: shard %v has %d bytes, %v", after, k, len(got), err)
		}
	}
	for d, err := range p.shelf.Discards(s.t.Context(), ident.CID{}) {
		s.t.Fatalf("after %s: in the trash: %v, %v", after, d, err)
	}
}

// Law: whoever sends whatever the two protocols know, no shard leaves. Bytes leave a
// node in four ways, none of which is a message: by a release that a quorum has
// certified and n-q+f+1 members confirm (TestWhatAReleaseNeeds), provisional
// (TestLettingGo), moved (TestWhatLeavesAsMoved), corrupt (package disk).
func TestNoMessageRemovesAShard(t *testing.T) {
	s := newStage(t)
	for _, p := range s.personas() {
		all := s.everything(p)
		// Twice: what one message begins, another may want to end.
		for range 2 {
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if err := all[name](t.Context()); errors.Is(err, rpc.ErrInternal) {
					t.Errorf("%s: %s: %v", p.name, name, err)
				}
				s.wantEverything(p.name + ": " + name)
			}
		}
		s.loops(p.name)
	}
	for _, protocol := range []string{protocolLedger, protocolShard} {
		for _, number := range []string{"2", "10"} { // a bad request, and one without a right
			if s.refusals(protocol, number) == 0 {
				t.Errorf("no refusal %s of protocol %s was counted", number, protocol)
			}
		}
	}
	for _, verb := range verbs(t) {
		if !s.seen[verb] {
			t.Errorf("nobody has sent %q", verb)
		}
	}
}

// refusals is how often the node has refused a request with a number, by its metrics.
func (s *stage) refusals(protocol, number string) (n float64) {
	families, err := s.node.registry.Gather()
	must(s.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "holdfast_"+protocol+"_refusals_total" && m.GetLabel()[0].GetValue() == number {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// loops has the node do everything that it does by itself, while one member lies as
// it likes and the others say what is true.
func (s *stage) loops(after string) {
	s.t.Helper()
	c := s.court()
	for _, lie := range []ledger.ReleaseState{rCertified, rConsented, rUndone} {
		c.say(lie, rUnknown, rUnknown, rUnknown)
		f := c.follower()
		s.clock.advance(time.Hour)
		c.look(f)
		must(s.t, s.releaser(c).sweep(s.t.Context()))
		must(s.t, s.parts().reconcile(s.t.Context()))
		s.wantEverything(after + ", and the loops")
	}
}

// everything is what a persona sends: each verb of both protocols, as near to what
// would remove a shard as it can be made, and verbs that there are not.
func (s *stage) everything(p persona) map[string]func(ctx context.Context) error {
	all := s.ofShards(p)
	maps.Copy(all, s.ofReading(p))
	maps.Copy(all, s.ofVoting(p))
	maps.Copy(all, s.ofReleasing(p))
	for _, protocol := range []string{shardrpc.Protocol, ledgerrpc.Protocol} {
		for _, verb := range []string{"delete", "remove", "discard", "trash", "erase", "drop", "expire", "forget", "purge", "overwrite", ""} {
			all[protocol+" "+verb+", which is no verb"] = func(ctx context.Context) error { return s.raw(ctx, p, protocol, verb) }
		}
	}
	return all
}

// raw sends a frame that names a verb, the vault and the shard.
func (s *stage) raw(ctx context.Context, p persona, protocol, verb string) error {
	st, err := s.net.Host(p.key.Public()).Open(ctx, s.me.Node.Public(), protocol)
	if err != nil {
		return err
	}
	defer st.Reset()
	frame, err := wire.Encode(map[string]any{"op": verb, "vault": s.vault.ID(), "s": s.certified.CID, "i": 3})
	if err == nil {
		_, err = st.Write(wire.AppendFrame(nil, frame))
	}
	if err == nil {
		err = st.CloseWrite()
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, st)
	return err
}

func (s *stage) ofShards(p persona) map[string]func(ctx context.Context) error {
	cred := shardrpc.Credential{Charter: s.vault.Signed, Grant: p.grant}
	client := shardrpc.NewClient(s.net.Host(p.key.Public()), shardrpc.Limits{})
	s.t.Cleanup(client.Close)
	h := client.Holder(s.me.Node.Public(), s.vault.ID(), cred)
	note := func(verb string, f func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			s.seen["shard auth"], s.seen["shard "+verb] = true, true
			return f(ctx)
		}
	}
	g, refs := s.certified, []shardrpc.Ref{ref(s.certified, 3), ref(s.loose, 3)}
	wrong := bytes.Clone(g.Rows[3])
	wrong[0] ^= 1
	size := int64(len(g.Rows[3]))
	return map[string]func(ctx context.Context) error{
		"put the same again":  note("put", func(ctx context.Context) error { return h.Put(ctx, nonce, 3, g.Descriptor, g.Rows[3]) }),
		"put other bytes":     note("put", func(ctx context.Context) error { return h.Put(ctx, nonce, 3, g.Descriptor, wrong) }),
		"put half of it":      note("put", func(ctx context.Context) error { return h.Put(ctx, nonce, 3, g.Descriptor, g.Rows[3][:10]) }),
		"put another's index": note("put", func(ctx context.Context) error { return h.Put(ctx, nonce, 3, g.Descriptor, g.Rows[2]) }),
		"get": note("get", func(ctx context.Context) error {
			_, err := h.Get(ctx, refs[0], g.Parsed.Shards[3], size, nil)
			return err
		}),
		"range": note("range", func(ctx context.Context) error {
			_, err := h.Range(ctx, refs[0], g.Parsed.Shards[3], size, 5, 9, nil)
			return err
		}),
		"has":     note("has", func(ctx context.Context) error { _, err := h.Has(ctx, refs); return err }),
		"receipt": note("receipt", func(ctx context.Context) error { _, err := h.Receipt(ctx, nonce, refs); return err }),
		"info":    note("info", func(ctx context.Context) error { _, err := h.Info(ctx); return err }),
		"audit": note("audit", func(ctx context.Context) error {
			_, err := h.Audit(ctx, []shardrpc.Challenge{challenge(g, 3, 0)})
			return err
		}),
		"inventory": note("inventory", func(ctx context.Context) error { _, err := h.Inventory(ctx, nonce); return err }),
		"bucket":    note("bucket", func(ctx context.Context) error { _, _, err := h.InventoryBucket(ctx, 0, shardrpc.Ref{}); return err }),
	}
}

// member is the node's ledger, as a persona reaches it.
func (s *stage) member(p persona) *ledgerrpc.Member {
	client := ledgerrpc.NewClient(s.net.Host(p.key.Public()), ledgerrpc.Limits{})
	s.t.Cleanup(client.Close)
	return client.Member(s.me.Node.Public(), p.grant)
}

func (s *stage) ofReading(p persona) map[string]func(ctx context.Context) error {
	m, id := s.member(p), s.vault.ID()
	segments := []ident.CID{s.certified.CID, s.loose.CID}
	return map[string]func(ctx context.Context) error{
		"charters":   func(ctx context.Context) error { _, err := m.Charters(ctx, id); return err },
		"vaults":     func(ctx context.Context) error { _, err := m.Vaults(ctx, s.vault.Owner.Public().ID()); return err },
		"heads":      func(ctx context.Context) error { _, err := m.Heads(ctx, id, nonce); return err },
		"links":      func(ctx context.Context) error { _, err := m.Links(ctx, id, s.vault.Owner.Public(), 1, 10); return err },
		"entry":      func(ctx context.Context) error { _, err := m.Entry(ctx, id, s.snapshot.Entry.CID()); return err },
		"body":       func(ctx context.Context) error { _, err := m.Body(ctx, id, s.snapshot.Entry.Body); return err },
		"segments":   func(ctx context.Context) error { _, err := m.Segments(ctx, id, nonce, segments); return err },
		"placements": func(ctx context.Context) error { _, err := m.Placements(ctx, id, segments); return err },
		"held":       func(ctx context.Context) error { _, err := m.Held(ctx, id, nonce, s.me.Node.Public()); return err },
		"audits":     func(ctx context.Context) error { _, err := m.Audits(ctx, id, nonce, ident.PublicKey{}); return err },
		"moves":      func(ctx context.Context) error { _, _, err := m.Moves(ctx, id, ledger.MovesCursor{}); return err },
		"placed": func(ctx context.Context) error {
			_, err := m.Placed(ctx, id, nonce, []ledger.ShardName{{Segment: s.certified.CID}})
			return err
		},
		"evidence":    func(ctx context.Context) error { _, err := m.Evidence(ctx, id); return err },
		"successions": func(ctx context.Context) error { _, err := m.Successions(ctx, id, 2); return err },
		"key":         func(ctx context.Context) error { _, err := m.Key(ctx, id, nonce); return err },
		"confirmed":   func(ctx context.Context) error { _, err := m.Confirmations(ctx, id); return err },
		"cases":       func(ctx context.Context) error { _, err := m.Cases(ctx, id, ident.CID{}); return err },
		"released":    func(ctx context.Context) error { _, err := m.Released(ctx, id, 1, 10); return err },
		"standing":    func(ctx context.Context) error { _, err := m.Standing(ctx, id, nonce, segments); return err },
	}
}

func (s *stage) ofVoting(p persona) map[string]func(ctx context.Context) error {
	m, id, v := s.member(p), s.vault.ID(), s.vault
	step := p.lane.Snapshot(p.name, 1)
	if p.name == "owner" { // of a kind that is his
		step = p.lane.Revoke(ledgertest.Key("read").Public())
	}
	link, err := v.Link(step).Encode()
	must(s.t, err)
	receipt, err := ledger.SignReceipt(v.Members[0].Vote, ledger.Receipt{
		Vault: id, Charter: id, Device: p.key.Public(), Node: v.Members[0].Node.Public(),
		Shards: []ledger.ReceiptShard{{Segment: s.certified.CID, Index: 3, Shard: s.certified.Parsed.Shards[3]}},
		Time:   ledger.Millis(s.clock.now()), Until: ledger.Millis(s.clock.now().Add(8 * 24 * time.Hour)),
	})
	must(s.t, err)
	attempt, err := ledger.SignAttempt(p.signs, ledger.Attempt{Place: ledger.Place{Vault: id, Charter: id, Lane: p.signs.Public(), Height: 1, Attempt: 1}})
	must(s.t, err)
	lower := s.successor(p.signs)
	return map[string]func(ctx context.Context) error{
		"accept": func(ctx context.Context) error { _, err := m.Accept(ctx, v.Signed); return err },
		"propose": func(ctx context.Context) error {
			_, err := m.Propose(ctx, id, step.Proposal, step.Signed, step.Body)
			return err
		},
		"adopt":   func(ctx context.Context) error { return m.Adopt(ctx, id, link, step.Body) },
		"certify": func(ctx context.Context) error { _, err := m.Certify(ctx, id, v.Certificate(step)); return err },
		"report":  func(ctx context.Context) error { _, err := m.Report(ctx, id, attempt); return err },
		"place": func(ctx context.Context) error {
			return m.AddPlacement(ctx, id, ledgerrpc.Placement{Receipt: receipt, Certificate: v.Members[0].Certificate})
		},
		"freeze": func(ctx context.Context) error { _, err := m.Freeze(ctx, id, lower); return err },
		"request a successor": func(ctx context.Context) error {
			return m.Request(ctx, id, s.request(p.signs, ledger.RequestCharter, lower.CID()), lower)
		},
	}
}

// successor is a charter without retention, cooling-off or trash time, signed by
// whoever asks.
func (s *stage) successor(by ident.PrivateKey) ident.Signed {
	c := s.vault.Charter
	c.Number, c.Vault, c.Prev = 2, s.vault.ID(), s.vault.ID()
	c.Retention, c.Cooling, c.Trash, c.Owner = 0, 0, 0, by.Public()
	signed, err := ledger.SignCharter(by, c)
	must(s.t, err)
	return signed
}

func (s *stage) request(by ident.PrivateKey, kind ledger.RequestKind, successor ident.CID) ident.Signed {
	r := ledger.Request{
		Vault: s.vault.ID(), Charter: s.vault.ID(), Kind: kind, Successor: successor, By: by.Public(), Clock: ledger.Millis(s.clock.now()),
	}
	if kind != ledger.RequestCharter {
		r.Targets = []ident.CID{s.snapshot.Entry.CID()}
	}
	signed, err := ledger.SignRequest(by, r)
	must(s.t, err)
	return signed
}

func (s *stage) ofReleasing(p persona) map[string]func(ctx context.Context) error {
	m, id, v := s.member(p), s.vault.ID(), s.vault
	ask := s.request(p.signs, ledger.RequestRelease, ident.CID{})
	expire := s.request(p.signs, ledger.RequestExpiry, ident.CID{})
	list, err := ledger.Release{
		Vault: id, Charter: id, Request: ask.CID(), Segments: []ident.CID{s.certified.CID, s.loose.CID},
	}.Encode()
	must(s.t, err)
	release, err := ledger.ParseRelease(list)
	must(s.t, err)
	opinion := func(stance ledger.Stance) ident.Signed {
		o, err := ledger.SignOpinion(p.signs, stance, ledger.Opinion{
			Vault: id, Charter: id, Request: ask.CID(), By: p.signs.Public(), Clock: ledger.Millis(s.clock.now()),
		})
		must(s.t, err)
		return o
	}
	word := p.signs.Sign(ledger.LabelConfirm, id, encode(s.t, ledger.Confirmation{V: 1, Vault: id, Charter: id, By: p.signs.Public(), Clock: 1}))
	undo, err := ledger.SignUndo(p.signs, ledger.Undo{Vault: id, Charter: id, Release: release.CID(), By: p.signs.Public(), Clock: 1})
	must(s.t, err)
	all := map[string]func(ctx context.Context) error{
		"request a release": func(ctx context.Context) error { return m.Request(ctx, id, ask, ident.Signed{}) },
		"request an expiry": func(ctx context.Context) error { return m.Request(ctx, id, expire, ident.Signed{}) },
		"approve":           func(ctx context.Context) error { return m.Opine(ctx, id, ledger.Approve, opinion(ledger.Approve)) },
		"veto":              func(ctx context.Context) error { return m.Opine(ctx, id, ledger.Veto, opinion(ledger.Veto)) },
		"confirm":           func(ctx context.Context) error { return m.Confirm(ctx, id, word) },
		"free":              func(ctx context.Context) error { _, _, err := m.Free(ctx, id, ask.CID(), ident.CID{}); return err },
		"consent":           func(ctx context.Context) error { _, err := m.Consent(ctx, id, list); return err },
		"undo":              func(ctx context.Context) error { _, err := m.Undo(ctx, id, undo); return err },
		"undone": func(ctx context.Context) error {
			return m.Undone(ctx, id, encode(s.t, ledger.UndoCertificate{V: 1, Vault: id, Charter: id, Release: release.CID()}))
		},
	}
	for name, cert := range s.certificates(p, list, release) {
		all["release by "+name] = func(ctx context.Context) error { return m.Release(ctx, v.ID(), cert) }
	}
	return all
}

// certificates are what a persona can make of a release without a quorum: consents of
// fewer members, doubled ones, and its own in the names of members.
func (s *stage) certificates(p persona, list []byte, release ledger.Release) map[string][]byte {
	word := func(vote ident.PrivateKey, of ledgertest.Member) ident.Signed {
		c, err := ledger.SignConsent(vote, ledger.Consent{
			Vault: s.vault.ID(), Charter: s.vault.ID(), Release: release.CID(), Operator: of.Operator.Public(), Clock: 1,
		})
		must(s.t, err)
		return c
	}
	ms := s.vault.Members
	f, q := ledger.Faults(len(ms)), s.vault.Charter.Quorum()
	var few, forged []ident.Signed
	for i, m := range ms[:q] {
		if i < f {
			few = append(few, word(m.Vote, m))
			forged = append(forged, word(m.Vote, m))
		} else {
			forged = append(forged, word(p.signs, m))
		}
	}
	out := map[string][]byte{}
	for name, consents := range map[string][]ident.Signed{
		"nobody": {}, "f members": few, "f members, doubled": slices.Concat(few, few, few), "f members and forged words": forged,
	} {
		out[name] = encode(s.t, ledger.ReleaseCertificate{V: 1, Release: list, Consents: consents})
	}
	return out
}

// verbs reads from the source of both protocols which verbs there are, so that none
// is forgotten here.
func verbs(t *testing.T) (all []string) {
	t.Helper()
	for protocol, of := range map[string]struct {
		dir string
		is  func(name string, spec *ast.ValueSpec) bool
	}{
		"ledger": {"ledgerrpc", func(_ string, spec *ast.ValueSpec) bool {
			id, ok := spec.Type.(*ast.Ident)
			return ok && id.Name == "Verb"
		}},
		"shard": {"shardrpc", func(name string, _ *ast.ValueSpec) bool { return strings.HasPrefix(name, "op") }},
	} {
		found := len(all)
		for name, spec := range constants(t, filepath.Join("..", "p2p", of.dir)) {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && of.is(name, spec) {
				verb, err := strconv.Unquote(lit.Value)
				must(t, err)
				all = append(all, protocol+" "+verb)
			}
		}
		if len(all)-found < 5 {
			t.Fatalf("only %v of protocol %s", all[found:], protocol)
		}
	}
	slices.Sort(all)
	return all
}

// constants returns the constants of a package that have one name and one value.
func constants(t *testing.T, dir string) map[string]*ast.ValueSpec {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	found := map[string]*ast.ValueSpec{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		must(t, err)
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				if v := spec.(*ast.ValueSpec); len(v.Names) == 1 && len(v.Values) == 1 {
					found[v.Names[0].Name] = v
				}
			}
		}
	}
	return found
}
