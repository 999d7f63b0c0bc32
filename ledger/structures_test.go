package ledger_test

import (
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// structure is one sample of each structure of docs/format.md, section 6, with the
// function that reads foreign bytes of that kind.
type structure struct {
	name   string
	label  ident.Label // empty for what is not signed on its own
	scope  ident.CID
	signed ident.Signed // without signature where there is no label
	verify func(ident.Signed) error
}

// world is where the samples come from.
type world struct {
	vault  *ledgertest.Vault
	device ident.PrivateKey
	grant  ident.Signed
	enrol  ledgertest.Step
	first  ledgertest.Step // snapshot with a full set
	second ledgertest.Step // snapshot with a delta
	body   ledger.SnapshotBody
}

func newWorld() *world {
	v := ledgertest.NewVault("vectors", 4)
	w := &world{vault: v, device: ledgertest.Key("vectors device")}
	w.grant = v.Grant(w.device, ledger.Append)
	w.enrol = v.OwnerLane().Enrol(w.grant)
	lane := v.Lane(w.device)
	w.first = lane.Snapshot("first", 2)
	lane.Advance(w.first)
	c := lane.Commit("second", 1)
	next := lane.Set.With(w.device.Public(), ident.CID{}, ledger.NewSpans(2))
	next.Lanes[0].Numbers = next.Lanes[0].Numbers.Minus(ledger.NewSpans(0))
	c.Refs = next.Since(lane.Set)
	c.Body.Partial = true
	w.second = lane.Finish(c)
	w.body = must(ledger.ParseSnapshotBody(w.second.Body))
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func plain(p []byte) ident.Signed { return ident.Signed{Object: p} }

// ignore makes a verify function of one that also returns what it has read.
func ignore[T any](f func(ident.Signed) (T, error)) func(ident.Signed) error {
	return func(s ident.Signed) error { _, err := f(s); return err }
}

func parses[T any](f func([]byte) (T, error)) func(ident.Signed) error {
	return func(s ident.Signed) error { _, err := f(s.Object); return err }
}

func under[T any](ch ledger.Charter, f func(ident.Signed, ledger.Charter) (T, error)) func(ident.Signed) error {
	return func(s ident.Signed) error { _, err := f(s, ch); return err }
}

func (w *world) structures() []structure {
	return slices.Concat(w.ofNodes(), w.ofOwner(), w.ofLanes(), w.ofMembers(), w.ofReleases(), w.ofCustody(), w.ofAudits(), w.ofGuardians())
}

func (w *world) ofNodes() []structure {
	m := w.vault.Members[1]
	id := w.vault.ID()
	record := must(ledger.SignNodeRecord(m.Node, ledger.NodeRecord{
		Cert: m.Certificate, Addrs: []string{"/ip4/127.0.0.1/tcp/4001"}, Space: 39, Seq: 7,
	}))
	away := must(ledger.SignNodeRecord(m.Node, ledger.NodeRecord{
		Cert: m.Certificate, Addrs: []string{"/ip4/127.0.0.1/tcp/4001"}, Seq: 8, State: "away", Until: 1_800_000_000_000,
	}))
	hint := must(ledger.SignVaultHint(m.Node, ledger.VaultHint{
		Charter: w.vault.Signed, Seq: 3,
		Members: []ledger.HintMember{{Node: m.Node.Public(), Addrs: []string{"/ip4/127.0.0.1/tcp/4001"}}},
	}))
	body := must(ledger.ParseSnapshotBody(w.first.Body))
	return []structure{
		{"node-certificate", ledger.LabelNodeCertificate, ident.CID{}, m.Certificate, ignore(ledger.VerifyNodeCertificate)},
		{"node-request", ledger.LabelNodeRequest, ident.CID{}, w.request(), ignore(ledger.VerifyNodeRequest)},
		{"vault-grant", ledger.LabelVaultGrant, id, w.vaultGrant(), func(s ident.Signed) error {
			_, err := ledger.VerifyVaultGrant(s, m.Operator.Public())
			return err
		}},
		{"node-record-away", ledger.LabelNodeRecord, ident.CID{}, away, func(s ident.Signed) error {
			_, err := ledger.VerifyNodeRecord(s, m.Node.Public())
			return err
		}},
		{"node-record", ledger.LabelNodeRecord, ident.CID{}, record, func(s ident.Signed) error {
			_, err := ledger.VerifyNodeRecord(s, m.Node.Public())
			return err
		}},
		{"vault-hint", ledger.LabelVaultHint, id, hint, func(s ident.Signed) error {
			_, err := ledger.VerifyVaultHint(s, id)
			return err
		}},
		{"placement", "", id, plain(must(w.later().Encode())), w.verifyPlacement},
		{"receipt", ledger.LabelReceipt, id, body.Receipts[0], func(s ident.Signed) error {
			_, err := ledger.VerifyReceipt(s, w.vault.Members[0].Vote.Public(), id)
			return err
		}},
	}
}

// request is a node that asks its operator for the certificate after its second.
func (w *world) request() ident.Signed {
	m := w.vault.Members[1]
	return must(ledger.SignNodeRequest(m.Node, m.Vote, ledger.NodeRequest{
		Network: w.vault.Charter.Network, Zone: "rack 1", Serial: 2, Created: 1_700_000_000_000,
	}))
}

// vaultGrant is an operator who gives a vault room on his nodes.
func (w *world) vaultGrant() ident.Signed {
	return must(ledger.SignVaultGrant(w.vault.Members[1].Operator, ledger.VaultGrant{
		Vault: w.vault.ID(), Quota: 1 << 40, Issued: 1_700_000_000_000, Expires: 1_800_000_000_000,
	}))
}

// later is a shard of the first snapshot that a holder got after the commit.
func (w *world) later() ledger.Placement {
	m := w.vault.Members[1]
	r := must(ledger.VerifyReceipt(must(ledger.ParseSnapshotBody(w.first.Body)).Receipts[1], m.Vote.Public(), w.vault.ID()))
	r.Nonce = [16]byte{}
	return ledger.Placement{Receipt: must(ledger.SignReceipt(m.Vote, r)), Cert: m.Certificate}
}

func (w *world) verifyPlacement(s ident.Signed) error {
	l, err := ledger.ParsePlacement(s.Object)
	if err == nil {
		_, _, err = l.Verify(w.vault.Charter)
	}
	return err
}

func (w *world) ofOwner() []structure {
	ch, id := w.vault.Charter, w.vault.ID()
	guarded := must(ledger.SignCharter(w.vault.Owner, w.guarded()))
	secret := must(ledger.SignCharter(w.vault.Owner, w.recoverable()))
	return []structure{
		{"charter", ledger.LabelCharter, id, w.vault.Signed, ignore(ledger.VerifyFirstCharter)},
		{"charter-guarded", ledger.LabelCharter, guarded.CID(), guarded, ignore(ledger.VerifyFirstCharter)},
		{"charter-secret", ledger.LabelCharter, secret.CID(), secret, ignore(ledger.VerifyFirstCharter)},
		{"charter-next", ledger.LabelCharter, id, must(ledger.SignCharter(w.vault.Owner, w.next())), under(ch, ledger.VerifyNextCharter)},
		{"grant", ledger.LabelGrant, id, w.grant, func(s ident.Signed) error {
			_, err := ledger.VerifyGrant(s, ch.Owner, id)
			return err
		}},
		{"grant-limited", ledger.LabelGrant, id, must(ledger.SignGrant(w.vault.Owner, w.limited())), func(s ident.Signed) error {
			_, err := ledger.VerifyGrant(s, ch.Owner, id)
			return err
		}},
		{"join", ledger.LabelJoin, ident.CID{}, must(ledger.SignJoinRequest(w.device, ledger.JoinRequest{
			Name: "laptop", Index: ledgertest.Recipient(), Created: ledger.Millis(ledgertest.Start()),
		})), ignore(ledger.VerifyJoinRequest)},
		{"body-enrol", "", id, plain(w.enrol.Body), parses(ledger.ParseEnrolBody)},
		{"body-enrol-sealed", "", id, plain(must(ledger.EnrolBody{Grant: w.grant, Sealed: []byte("sealed keys")}.Encode())), parses(ledger.ParseEnrolBody)},
		{"body-revoke", "", id, plain(w.vault.OwnerLane().Revoke(w.device.Public()).Body), parses(ledger.ParseRevokeBody)},
	}
}

// limited is a grant with every optional field.
func (w *world) limited() ledger.Grant {
	start := ledger.Millis(ledgertest.Start())
	return ledger.Grant{
		Vault: w.vault.ID(), Device: w.device.Public(), Name: "laptop", Rights: ledger.Full, Quota: 500e9,
		Index: ledgertest.Recipient(), Issued: start, Expires: start + 365*24*3600*1000,
	}
}

// guarded is a charter with every optional field that a first one may have.
func (w *world) guarded() ledger.Charter {
	c := w.vault.Draft("guarded")
	c.Admitted = []ident.PublicKey{ledgertest.Key("admitted").Public()}
	for _, name := range []string{"Ann", "Bob", "Eve"} {
		share := ledgertest.Key(name + " share").Seed()
		c.Guardians = append(c.Guardians, ledger.Guardian{
			Name: name, Key: ledgertest.Key(name).Public(), Envelope: []byte("envelope of " + name), Share: share,
		})
	}
	c.Threshold = 2
	c.Expiry = ledger.Expiry{After: 90 * 24 * 3600, Newer: 7}
	return c
}

// recoverable is a charter whose guardians can also recover the root secret.
func (w *world) recoverable() ledger.Charter {
	c := w.guarded()
	c.Secret = []byte("the root secret, sealed")
	return c
}

// next is a charter after the first, with a roster.
func (w *world) next() ledger.Charter {
	c := w.vault.Draft("vectors")
	c.Number, c.Vault, c.Prev = 2, w.vault.ID(), w.vault.Charter.CID()
	c.Roster = ident.SumDagCBOR([]byte("roster"))
	c.Identity = 1
	return c
}

func (w *world) ofLanes() []structure {
	id := w.vault.ID()
	lock := w.second.Propose()
	lock.Attempt, lock.Reports = 1, w.reports()
	again := must(ledger.SignProposal(w.device, lock))
	first := must(ledger.ParseSnapshotBody(w.first.Body))
	link := w.vault.Link(w.second)
	return []structure{
		{"entry-enrol", ledger.LabelEntry, id, w.enrol.Signed, ignore(ledger.VerifyEntry)},
		{"entry-first", ledger.LabelEntry, id, w.first.Signed, ignore(ledger.VerifyEntry)},
		{"entry-second", ledger.LabelEntry, id, w.second.Signed, ignore(ledger.VerifyEntry)},
		{"body-snapshot", "", id, plain(w.first.Body), parses(ledger.ParseSnapshotBody)},
		{"body-checkpoint", "", id, plain(w.second.Body), parses(ledger.ParseSnapshotBody)},
		{"refs-full", "", id, plain(first.Refs), parses(ledger.ParseRefSet)},
		{"refs-delta", "", id, plain(w.body.Refs), parses(ledger.ParseRefSet)},
		{"refs-lanes", "", id, plain(must(w.lanes().Encode())), parses(ledger.ParseRefSet)},
		{"proposal", ledger.LabelProposal, id, w.second.Proposal, ignore(ledger.VerifyProposal)},
		{"proposal-again", ledger.LabelProposal, id, again, w.verifyProposal},
		{"proposal-acks", ledger.LabelProposal, id, w.above(), w.verifyProposal},
		{"attempt", ledger.LabelAttempt, id, w.vault.Lane(w.device).Ask(w.second, 3), ignore(ledger.VerifyAttempt)},
		{"evidence-lane", "", id, plain(must(w.equivocated().Encode())), w.verifyEvidence},
		{"evidence-members", "", id, plain(must(w.forked().Encode())), w.verifyEvidence},
		{"certificate", "", id, plain(link.Cert), func(s ident.Signed) error {
			_, err := ledger.VerifyCertificate(s.Object, w.vault.Charter)
			return err
		}},
		{"link", "", id, plain(must(link.Encode())), w.verifyLink},
		{"body-charter", "", id, plain(w.succession().Body), parses(ledger.ParseCharterBody)},
		{"link-charter", "", id, plain(must(w.vault.Final(w.succession()).Encode())), w.verifyLink},
	}
}

// lanes is a delta that names another lane.
func (w *world) lanes() ledger.RefSet {
	own, other := w.device.Public(), ledgertest.Key("vectors other device").Public()
	base := ledger.Set{Lane: own, Entry: w.first.Entry.CID()}
	base = base.With(own, ident.CID{}, ledger.Spans{{First: 0, Count: 2}})
	next := base.With(own, ident.CID{}, ledger.NewSpans(2, 4, 5))
	return next.With(other, w.second.Entry.CID(), ledger.NewSpans(0, 1000, 1001, 70000)).Since(base)
}

// succession is the entry that brings the charter after the first.
func (w *world) succession() ledgertest.Step {
	owner, lane := w.vault.OwnerLane(), w.vault.Lane(w.device)
	owner.Advance(w.enrol)
	lane.Advance(w.first)
	next := must(ledger.SignCharter(w.vault.Owner, w.next()))
	return owner.Succession(ledger.CharterBody{Charter: next, Freezes: w.vault.Freezes(owner, lane), Waited: true})
}

func (w *world) verifyProposal(s ident.Signed) error {
	p, err := ledger.VerifyProposal(s)
	if err == nil {
		err = p.Bind(w.vault.Charter)
	}
	return err
}

// above is the proposal of the second snapshot with acks for the first.
func (w *world) above() ident.Signed {
	return w.vault.Lane(w.device).Above(w.second, w.acks(w.first, w.vault.Charter.Quorum())...)
}

// acks are those of the first so many members for a step at attempt 1.
func (w *world) acks(s ledgertest.Step, count int) []ident.Signed {
	at := s.Propose().Place
	at.Attempt = 1
	var out []ident.Signed
	for _, m := range w.vault.Members[:count] {
		out = append(out, must(ledger.SignAck(m.Vote, ledger.Ack{Place: at, Entry: s.Entry.CID(), Operator: m.Operator.Public()})))
	}
	return out
}

// twin is another snapshot at the place of the second.
func (w *world) twin() ledgertest.Step {
	lane := w.vault.Lane(w.device)
	lane.Advance(w.first)
	return lane.Snapshot("twin", 1)
}

func (w *world) equivocated() ledger.Evidence {
	return ledger.Equivocated(w.second.Proposal, w.twin().Proposal)
}

func (w *world) forked() ledger.Evidence {
	return ledger.Forked(w.vault.CertificateOf(w.second, 0, 0, 1, 2), w.vault.CertificateOf(w.twin(), 0, 1, 2, 3))
}

func (w *world) verifyEvidence(s ident.Signed) error {
	e, err := ledger.ParseEvidence(s.Object)
	if err == nil {
		_, err = e.Verify(w.vault.Charter)
	}
	return err
}

func (w *world) verifyLink(s ident.Signed) error {
	l, err := ledger.ParseLink(s.Object)
	if err == nil {
		_, _, err = l.Verify(w.vault.Charter)
	}
	return err
}

// report is a member's report about attempt 1 at the second snapshot's height. The
// first member has seen the certificate of attempt 0.
func (w *world) report(i int) ledger.Report {
	r := ledger.Report{Place: w.second.Propose().Place, Operator: w.vault.Members[i].Operator.Public()}
	r.Attempt = 1
	if i == 0 {
		r.Highest = w.vault.Certificate(w.second)
	}
	return r
}

func (w *world) reports() []ident.Signed {
	var out []ident.Signed
	for i := range w.vault.Charter.Quorum() {
		out = append(out, must(ledger.SignReport(w.vault.Members[i].Vote, w.report(i))))
	}
	return out
}

func (w *world) ofMembers() []structure {
	ch, id, m := w.vault.Charter, w.vault.ID(), w.vault.Members[2]
	member, _ := ch.Member(m.Operator.Public())
	nonce, clock := [16]byte{1, 2, 3}, ledger.Millis(ledgertest.Start())
	place := w.second.Propose().Place
	heads := must(ledger.SignHeads(m.Vote, ledger.Heads{
		Vault: id, Charter: ch.CID(), Nonce: nonce, Operator: member.Operator, Clock: clock,
		Lanes: []ledger.LaneHead{
			{Lane: w.device.Public(), Height: 1, Entry: w.first.Entry.CID(), Lock: ledger.Lock{Height: 2, Entry: w.second.Entry.CID()}},
			{Lane: ch.Owner, Lock: ledger.Lock{Height: 1, Entry: w.enrol.Entry.CID()}},
		},
	}))
	asked := []ident.CID{ident.SumDagCBOR([]byte("a")), ident.SumDagCBOR([]byte("b")), ident.SumDagCBOR([]byte("c"))}
	segments := must(ledger.SignSegments(m.Vote, ledger.Segments{
		Vault: id, Charter: ch.CID(), Nonce: nonce, Operator: member.Operator, Clock: clock,
		States: []ledger.SegmentState{{asked[0], ledger.SegmentUnknown}, {asked[1], ledger.SegmentLocked}, {asked[2], ledger.SegmentCertified}},
	}))
	return []structure{
		{"accept", ledger.LabelAccept, id, must(ledger.SignAcceptance(m.Vote, ledger.Acceptance{
			Vault: id, Charter: ch.CID(), Operator: member.Operator, Time: clock,
		})), under(ch, ledger.VerifyAcceptance)},
		{"vote", ledger.LabelVote, id, m.VoteFor(w.second, ledgertest.Start()), under(ch, ledger.VerifyVote)},
		{"ack", ledger.LabelAck, id, must(ledger.SignAck(m.Vote, ledger.Ack{
			Place: place, Entry: w.second.Entry.CID(), Operator: member.Operator,
		})), under(ch, ledger.VerifyAck)},
		{"report", ledger.LabelReport, id, w.reports()[1], under(ch, ledger.VerifyReport)},
		{"report-highest", ledger.LabelReport, id, w.reports()[0], under(ch, ledger.VerifyReport)},
		{"heads", ledger.LabelHeads, id, heads, func(s ident.Signed) error {
			_, err := ledger.VerifyHeads(s, ch, member, nonce)
			return err
		}},
		{"held", ledger.LabelHeld, id, must(ledger.SignHeld(m.Vote, ledger.Held{
			Vault: id, Charter: ch.CID(), Nonce: nonce, Operator: member.Operator, Clock: clock,
			Node: w.vault.Members[1].Node.Public(), Shards: 3, Bytes: 3 << 20,
		})), func(s ident.Signed) error {
			_, err := ledger.VerifyHeld(s, ch, member, w.vault.Members[1].Node.Public())
			return err
		}},
		{"freeze", ledger.LabelFreeze, id, w.frozen(), under(ch, ledger.VerifyFreeze)},
		{"member-key", ledger.LabelMemberKey, ident.CID{}, w.memberKey(nonce), func(s ident.Signed) error {
			_, err := ledger.VerifyMemberKey(s, must(ledger.VerifyNodeCertificate(w.vault.Members[0].Certificate)), id, nonce)
			return err
		}},
		{"segments", ledger.LabelSegments, id, segments, func(s ident.Signed) error {
			_, err := ledger.VerifySegments(s, ch, member, nonce, asked)
			return err
		}},
	}
}

func (w *world) memberKey(nonce [16]byte) ident.Signed {
	m := w.vault.Members[0]
	return must(ledger.SignMemberKey(m.Vote, ledger.MemberKey{
		Vault: w.vault.ID(), Nonce: nonce, Operator: m.Operator.Public(), Node: m.Node.Public(),
		Vote: ledgertest.Key("fresh").Public(), Clock: ledger.Millis(ledgertest.Start()),
	}))
}

// frozen is a member's freeze of the first charter, with two lanes.
func (w *world) frozen() ident.Signed {
	owner, lane := w.vault.OwnerLane(), w.vault.Lane(w.device)
	owner.Advance(w.enrol)
	lane.Advance(w.first)
	return w.vault.Freeze(w.vault.Members[2], owner, lane)
}

func TestStructuresVerify(t *testing.T) {
	for _, s := range newWorld().structures() {
		if err := s.verify(s.signed); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
