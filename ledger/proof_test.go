package ledger_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// bare is a link as it stands in a proof below the snapshot.
func bare(s ledgertest.Step) ledger.Link { return ledger.Link{V: 1, Entry: s.Signed, Body: s.Body} }

// placed is a later placement as it stands in a proof.
func placed(l ledger.Placement) ledger.Placement { l.V = 1; return l }

// proof is a receipt of the second snapshot of the world, which is a delta: it needs
// the first one's second segment, and has a new one.
func (w *world) proof() ledger.Proof {
	return ledger.Proof{
		Charter: w.vault.Signed, Link: w.vault.Link(w.second), Earlier: []ledger.Link{bare(w.first)},
		Placements: []ledger.Placement{placed(w.later())},
	}
}

func TestProofShows(t *testing.T) {
	w := newWorld()
	p := must(ledger.ParseProof(must(w.proof().Encode())))
	s, err := p.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if s.Entry.CID() != w.second.Entry.CID() || s.Chain.ID() != w.vault.ID() || !s.Partial || !s.Whole {
		t.Errorf("shows %+v", s.Entry)
	}
	if len(s.Voters) != 3 || s.Voters[1].Clock.Sub(s.Voters[0].Clock) != time.Second || !s.Time().Equal(s.Voters[1].Clock) {
		t.Errorf("voters %+v, time %v", s.Voters, s.Time())
	}
	// 2/4 on four operators: any two may be lost.
	if s.Segments != 2 || s.Losses != 2 || len(s.Holders) != 4 || s.Bytes != 2<<20 {
		t.Errorf("%d segments of %d bytes, %d holders, %d losses", s.Segments, s.Bytes, len(s.Holders), s.Losses)
	}
	for _, h := range s.Holders {
		if h.Shards != 2 || h.Bytes != 1<<20 || !h.First.Equal(ledgertest.Start()) || !h.Until.Equal(ledgertest.Start().AddDate(0, 0, 8)) {
			t.Errorf("holder %+v", h)
		}
	}

	p.Earlier, p.Placements = nil, nil
	s, err = p.Verify()
	if err != nil || s.Whole || s.Segments != 1 {
		t.Errorf("without the entries before: %d segments, whole %v, %v", s.Segments, s.Whole, err)
	}
	first := ledger.Proof{Charter: w.vault.Signed, Link: w.vault.Link(w.first)}
	if s, err = first.Verify(); err != nil || !s.Whole || s.Segments != 2 {
		t.Errorf("of a lane's first entry: %d segments, whole %v, %v", s.Segments, s.Whole, err)
	}
}

// TestProofAcrossLanes: a set that names another lane needs that lane's entries.
func TestProofAcrossLanes(t *testing.T) {
	w := newWorld()
	other := w.vault.Lane(ledgertest.Key("vectors other device"))
	theirs := other.Snapshot("theirs", 3)
	other.Advance(theirs)
	more := other.Snapshot("more", 1)
	lane := w.vault.Lane(w.device)
	lane.Advance(w.first)
	c := lane.Commit("across", 1)
	next := lane.Set.With(w.device.Public(), ident.CID{}, ledger.NewSpans(2))
	next = next.With(other.Key.Public(), theirs.Entry.CID(), ledger.NewSpans(0, 2))
	c.Refs = next.Full()
	step := lane.Finish(c)
	p := ledger.Proof{Charter: w.vault.Signed, Link: w.vault.Link(step)}
	lanes := [][]ledger.Link{{bare(w.first)}, {bare(theirs)}}
	if w.device.Public().Compare(other.Key.Public()) > 0 {
		slices.Reverse(lanes)
	}
	p.Earlier = slices.Concat(lanes...)
	s, err := p.Verify()
	if err != nil || !s.Whole || s.Segments != 5 {
		t.Errorf("%d segments, %v", s.Segments, err)
	}
	slices.Reverse(p.Earlier)
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrFork) {
		t.Errorf("lanes out of order: %v", err)
	}
	p.Earlier = []ledger.Link{bare(w.first)}
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrRefs) {
		t.Errorf("without the other lane: %v", err)
	}
	lanes[slices.IndexFunc(lanes, func(l []ledger.Link) bool { return l[0].Entry.CID() == theirs.Signed.CID() })][0] = bare(more)
	p.Earlier = slices.Concat(lanes...)
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrFork) {
		t.Errorf("a lane that does not begin at its beginning: %v", err)
	}
}

// One row for each thing that can be wrong with a proof.
func TestProofRefuses(t *testing.T) {
	w := newWorld()
	other := ledgertest.NewVault("another", 4)
	forged := bare(w.first)
	forged.Body = w.second.Body
	stranger := ledgertest.NewMember("stranger")
	for name, c := range map[string]struct {
		want  error
		spoil func(*ledger.Proof)
	}{
		"another vault's charter":  {ledger.ErrCharter, func(p *ledger.Proof) { p.Charter = other.Signed }},
		"no certificate":           {ledger.ErrInvalid, func(p *ledger.Proof) { p.Link.Cert = nil }},
		"no body":                  {ledger.ErrInvalid, func(p *ledger.Proof) { p.Link.Body = nil }},
		"another body":             {ledger.ErrBody, func(p *ledger.Proof) { p.Link.Body = w.first.Body }},
		"another's certificate":    {ledger.ErrMismatch, func(p *ledger.Proof) { p.Link.Cert = w.vault.Certificate(w.first) }},
		"the owner's entry":        {ledger.ErrKind, func(p *ledger.Proof) { p.Link = w.vault.Link(w.enrol) }},
		"a body before is another": {ledger.ErrBody, func(p *ledger.Proof) { p.Earlier = []ledger.Link{forged} }},
		"the entry itself before":  {ledger.ErrFork, func(p *ledger.Proof) { p.Earlier = append(p.Earlier, bare(w.second)) }},
		"an entry twice":           {ledger.ErrFork, func(p *ledger.Proof) { p.Earlier = append(p.Earlier, p.Earlier...) }},
		"the owner's lane before":  {ledger.ErrKind, func(p *ledger.Proof) { p.Earlier = []ledger.Link{bare(w.enrol)} }},
		"a successor without acks": {ledger.ErrNoQuorum, func(p *ledger.Proof) { p.Successions = []ledger.Link{w.vault.Link(w.enrol)} }},
		"a placement of a commit": {ledger.ErrReceipt, func(p *ledger.Proof) {
			p.Placements[0].Receipt = must(ledger.ParseSnapshotBody(w.first.Body)).Receipts[1]
		}},
		"a placement by a stranger": {ident.ErrSignature, func(p *ledger.Proof) { p.Placements[0].Cert = stranger.Certificate }},
	} {
		p := w.proof()
		c.spoil(&p)
		if _, err := p.Verify(); !errors.Is(err, c.want) || !errors.Is(err, ledger.ErrProof) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

func TestProofFile(t *testing.T) {
	file := must(newWorld().proof().Encode())
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":        {nil, ledger.ErrNotProof},
		"another file":   {[]byte("holdfast recovery kit"), ledger.ErrNotProof},
		"without magic":  {file[8:], ledger.ErrNotProof},
		"another number": {append([]byte("hfrcpt2\x00"), file[8:]...), ledger.ErrNotProof},
		"too long":       {append(bytes.Clone(file), make([]byte, ledger.MaxProof)...), ledger.ErrNotProof},
		"cut off":        {file[:len(file)-1], ledger.ErrProof},
		"a byte more":    {append(bytes.Clone(file), 0), ledger.ErrProof},
		"its magic":      {file[:8], ledger.ErrProof},
	} {
		if _, err := ledger.ParseProof(c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	later := bytes.Clone(file[8 : len(file)-ident.HashSize])
	later[bytes.Index(later, []byte{0x61, 'v', 1})+2] = 2
	if _, err := ledger.ParseProof(wrapped(later)); !errors.Is(err, ledger.ErrNotProof) || !errors.Is(err, ledger.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	for n := 0; n < len(file); n += 1 + len(file)/200 {
		if _, err := ledger.ParseProof(file[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(file))
		}
	}
}

// wrapped puts magic and checksum around the bytes of a proof.
func wrapped(data []byte) []byte {
	file := append([]byte("hfrcpt1\x00"), data...)
	sum := ident.SumRaw(file).Hash()
	return append(file, sum[:]...)
}

// Law: no bit of a proof can be changed so that it shows something else. An optional
// key that is spoilt is an unknown one, and what stood there is not shown.
func TestProofFlippedBits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()
	file := must(w.proof().Encode())
	for range 300 {
		bad := bytes.Clone(file)
		at, bit := random.IntN(len(bad)), byte(1)<<random.IntN(8)
		bad[at] ^= bit
		if _, err := ledger.ParseProof(bad); err == nil {
			t.Fatalf("bit %x of byte %d can be changed", bit, at)
		}
		p, err := ledger.ParseProof(wrapped(bad[8 : len(bad)-ident.HashSize]))
		if err != nil {
			continue
		}
		s, err := p.Verify()
		if err == nil && (s.Entry.CID() != w.second.Entry.CID() || s.Chain.ID() != w.vault.ID() || len(s.Voters) != 3 || s.Segments > 2 || len(s.Holders) > 4) {
			t.Fatalf("bit %x of byte %d shows %+v", bit, at, s)
		}
	}
}

// proofFile holds the bytes of docs/format.md, section 8, for ever.
const proofFile = "testdata/proof/receipt.bin"

func TestProofVector(t *testing.T) {
	now := must(newWorld().proof().Encode())
	was, err := os.ReadFile(proofFile)
	if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		was = now
		if err = os.MkdirAll(filepath.Dir(proofFile), 0o755); err == nil {
			err = os.WriteFile(proofFile, now, 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, now) {
		t.Error("built differently now")
	}
	if _, err := must(ledger.ParseProof(was)).Verify(); err != nil {
		t.Errorf("no longer accepted: %v", err)
	}
}

// A proof is a stranger's file: nothing makes its reader panic.
func FuzzProof(f *testing.F) {
	w := newWorld()
	brief := w.proof()
	brief.Earlier, brief.Placements = nil, nil
	for _, p := range []ledger.Proof{w.proof(), brief} {
		file := must(p.Encode())
		f.Add(file[8 : len(file)-ident.HashSize])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ledger.ParseProof(wrapped(data))
		if err != nil {
			return
		}
		if s, err := p.Verify(); err == nil && (s.Segments == 0 || len(s.Voters) < s.Charter.Quorum()) {
			t.Fatalf("shows %+v", s)
		}
	})
}

// TestProofAcrossCharters: a snapshot under a successor is shown with the entry that
// brought the successor into force, and what stands below it was certified before.
func TestProofAcrossCharters(t *testing.T) {
	v := ledgertest.NewVault("proof charters", 4)
	first := v.Signed
	device := ledgertest.Key("proof charters device")
	owner, lane := v.OwnerLane(), v.Lane(device)
	owner.Advance(owner.Enrol(v.Grant(device, ledger.Append)))
	before := lane.Snapshot("before", 2)
	lane.Advance(before)
	link := v.Succeed(owner, v.Next(func(c *ledger.Charter) { c.Retention *= 2 }), false, lane)
	after := lane.Snapshot("after", 1)
	p := ledger.Proof{Charter: first, Successions: []ledger.Link{link}, Link: v.Link(after), Earlier: []ledger.Link{bare(before)}}
	p = must(ledger.ParseProof(must(p.Encode())))
	s, err := p.Verify()
	if err != nil || s.Charter.Number != 2 || !s.Whole || s.Segments != 3 || s.Losses != 2 {
		t.Errorf("charter %d, %d segments, %d losses, %v", s.Charter.Number, s.Segments, s.Losses, err)
	}
	p.Successions = nil
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrCharter) {
		t.Errorf("without the successor: %v", err)
	}
	link.Acks = link.Acks[1:]
	p.Successions = []ledger.Link{link}
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrNoQuorum) {
		t.Errorf("with a successor that was never in force: %v", err)
	}
	p.Successions, p.Link = []ledger.Link{link}, p.Earlier[0]
	if _, err := p.Verify(); !errors.Is(err, ledger.ErrProof) {
		t.Errorf("an entry without certificate: %v", err)
	}
}
