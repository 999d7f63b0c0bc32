package ledgerrpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, not %v", err, want)
	}
}

func same(a, b ident.Signed) bool {
	return bytes.Equal(a.Object, b.Object) && a.Signature == b.Signature
}

func TestSignedAnswers(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	segments := []ident.CID{ident.SumDagCBOR([]byte("a")), ident.SumDagCBOR([]byte("b"))}
	rows, err := ledgerrpc.EncodeSegments(segments)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte{7}, ledger.MaxBody)
	sum := ident.SumDagCBOR(body)
	for name, c := range map[string]struct {
		ask  func() (ident.Signed, error)
		want ident.Signed
	}{
		"audits": {func() (ident.Signed, error) { return m.Audits(t.Context(), vault, nonce, lane) },
			f.word("audits", vault.Bytes(), nonce[:], lane.Bytes())},
		"audits of all": {func() (ident.Signed, error) { return m.Audits(t.Context(), vault, nonce, ident.PublicKey{}) },
			f.word("audits", vault.Bytes(), nonce[:], ident.PublicKey{}.Bytes())},
		"heads": {func() (ident.Signed, error) { return m.Heads(t.Context(), vault, nonce) },
			f.word("heads", vault.Bytes(), nonce[:])},
		"accept": {func() (ident.Signed, error) { return m.Accept(t.Context(), object("c")) },
			f.word("accept", object("c").Object)},
		"propose": {func() (ident.Signed, error) { return m.Propose(t.Context(), vault, object("p"), object("e"), body) },
			f.word("vote", vault.Bytes(), object("p").Object, object("e").Object, sum.Bytes())},
		"certify": {func() (ident.Signed, error) { return m.Certify(t.Context(), vault, []byte("cert")) },
			f.word("ack", vault.Bytes(), "cert")},
		"report": {
			func() (ident.Signed, error) { return m.Report(t.Context(), vault, object("a")) },
			f.word("report", vault.Bytes(), object("a").Object),
		},
		"segments": {func() (ident.Signed, error) { return m.Segments(t.Context(), vault, nonce, segments) },
			f.word("segments", vault.Bytes(), nonce[:], rows)},
		"key": {func() (ident.Signed, error) { return m.Key(t.Context(), vault, nonce) },
			f.word("key", vault.Bytes(), nonce[:])},
		"key of a new vault": {func() (ident.Signed, error) { return m.Key(t.Context(), ident.CID{}, nonce) },
			f.word("key", nonce[:])},
		"freeze": {func() (ident.Signed, error) { return m.Freeze(t.Context(), vault, object("next")) },
			f.word("freeze", vault.Bytes(), object("next").Object)},
	} {
		got, err := c.ask()
		if err != nil || !same(got, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCharters(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	_, err := m.Charters(t.Context(), vault)
	wantErr(t, err, ledgerrpc.ErrUnknownVault)
	f.charters = []ident.Signed{object("1"), object("2")}
	got, err := m.Charters(t.Context(), object("1").CID())
	if err != nil || len(got) != 2 || !same(got[1], object("2")) {
		t.Fatal(got, err)
	}
	_, err = m.Charters(t.Context(), object("2").CID())
	wantErr(t, err, ledgerrpc.ErrLied)
}

func TestVaults(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	got, err := m.Vaults(t.Context(), lane.ID())
	if err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	for i := range 20 {
		f.charters = append(f.charters, object(fmt.Sprint(i)))
	}
	got, err = m.Vaults(t.Context(), lane.ID())
	if err != nil || len(got) != 16 {
		t.Fatal(len(got), err)
	}
}

// Successions come in pages, each with one at least, however long it is.
func TestSuccessions(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for i := range 10 {
		f.links = append(f.links, wire.MustEncode(struct {
			I int    `cbor:"i"`
			B []byte `cbor:"b"`
		}{i, make([]byte, 5<<20)}))
	}
	var got [][]byte
	for pages := 0; ; pages++ {
		page, err := m.Successions(t.Context(), vault, int64(len(got)+2))
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if len(got) != len(f.links) || !bytes.Equal(got[9], f.links[9]) {
		t.Fatalf("%d successions", len(got))
	}
	_, err := m.Successions(t.Context(), vault, 1)
	wantErr(t, err, ledgerrpc.ErrBadRequest)
}

func TestLinks(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for i := range 2500 {
		size := 100
		if i >= 2400 {
			size = ledger.MaxCertificate // so that pages are full before they are long
		}
		f.links = append(f.links, wire.MustEncode(struct {
			I int    `cbor:"i"`
			B []byte `cbor:"b"`
		}{i, make([]byte, size)}))
	}
	var got [][]byte
	pages := 0
	for {
		page, err := m.Links(t.Context(), vault, lane, int64(len(got)+1), 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		pages++
	}
	if len(got) != len(f.links) || pages < 6 {
		t.Fatalf("%d links on %d pages", len(got), pages)
	}
	for i := range got {
		if !bytes.Equal(got[i], f.links[i]) {
			t.Fatalf("link %d is another", i)
		}
	}
	if few, err := m.Links(t.Context(), vault, lane, 3, 2); err != nil || len(few) != 2 || !bytes.Equal(few[0], got[2]) {
		t.Error(len(few), err)
	}
	for _, bad := range [][2]int{{0, 1}, {-1, 1}, {1, 0}, {1, -1}} {
		_, err := m.Links(t.Context(), vault, lane, int64(bad[0]), bad[1])
		wantErr(t, err, ledgerrpc.ErrBadRequest)
	}
	f.links = [][]byte{[]byte("no CBOR")}
	_, err := m.Links(t.Context(), vault, lane, 1, 1)
	wantErr(t, err, rpc.ErrProtocol)
}

func TestBody(t *testing.T) {
	f := newFake()
	grant := object("grant")
	m := serve(t, f, ledgerrpc.Limits{}, grant)
	for _, size := range []int{1, 1000, 1 << 20, ledger.MaxBody} {
		body := bytes.Repeat([]byte{byte(size)}, size)
		if err := m.Adopt(t.Context(), vault, object("link").Object, body); err != nil {
			t.Fatal(err)
		}
		got, err := m.Body(t.Context(), vault, ident.SumDagCBOR(body))
		if err != nil || !bytes.Equal(got, body) {
			t.Fatal(size, err)
		}
	}
	_, err := m.Body(t.Context(), vault, vault)
	wantErr(t, err, ledgerrpc.ErrNotFound)
	f.bodies[vault] = []byte("another body")
	_, err = m.Body(t.Context(), vault, vault)
	wantErr(t, err, ledgerrpc.ErrLied)
	f.bodies[vault] = make([]byte, ledger.MaxBody+1)
	_, err = m.Body(t.Context(), vault, vault)
	wantErr(t, err, ledger.ErrTooLarge)
	last := f.asked[len(f.asked)-1]
	if last.Verb != ledgerrpc.Body || last.Vault != vault || last.Peer != key(2).Public() || !same(last.Grant, grant) {
		t.Errorf("asked was %+v", last)
	}
	wantErr(t, m.Adopt(t.Context(), vault, nil, make([]byte, ledger.MaxBody+1)), ledgerrpc.ErrBadRequest)
}

func TestEntry(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, object("grant"))
	entry := object("entry")
	link, err := ledger.Link{Entry: entry}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Adopt(t.Context(), vault, link, []byte("body")); err != nil {
		t.Fatal(err)
	}
	got, err := m.Entry(t.Context(), vault, entry.CID())
	if err != nil || !bytes.Equal(got, link) {
		t.Fatal(err)
	}
	_, err = m.Entry(t.Context(), vault, vault)
	wantErr(t, err, ledgerrpc.ErrNotFound)
	_, err = m.Entry(t.Context(), vault, liar)
	wantErr(t, err, ledgerrpc.ErrLied)
	if last := f.asked[len(f.asked)-1]; last.Verb != ledgerrpc.Entry || last.Vault != vault {
		t.Errorf("asked was %+v", last)
	}
}

func TestPlacements(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	want := ledgerrpc.Placement{Receipt: object("receipt"), Certificate: object("certificate")}
	for range 2 {
		if err := m.AddPlacement(t.Context(), vault, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Placements(t.Context(), vault, []ident.CID{vault})
	if err != nil || len(got) != 2 || !same(got[1].Receipt, want.Receipt) || !same(got[0].Certificate, want.Certificate) {
		t.Fatal(got, err)
	}
	f.placed = make([]ledgerrpc.Placement, 5000)
	for i := range f.placed {
		f.placed[i] = want
	}
	_, err = m.Placements(t.Context(), vault, []ident.CID{vault})
	wantErr(t, err, ledger.ErrTooLarge)
	for _, n := range []int{0, ledger.MaxStates + 1} {
		_, err = m.Placements(t.Context(), vault, make([]ident.CID, n))
		wantErr(t, err, ledgerrpc.ErrBadRequest)
		_, err = m.Segments(t.Context(), vault, nonce, make([]ident.CID, n))
		wantErr(t, err, ledgerrpc.ErrBadRequest)
	}
}

// everything asks each verb once.
func everything(t *testing.T, m *ledgerrpc.Member) map[string]error {
	ctx := t.Context()
	errs := map[string]error{}
	_, errs["charters"] = m.Charters(ctx, object("1").CID())
	_, errs["vaults"] = m.Vaults(ctx, lane.ID())
	_, errs["heads"] = m.Heads(ctx, vault, nonce)
	_, errs["links"] = m.Links(ctx, vault, lane, 1, 10)
	_, errs["body"] = m.Body(ctx, vault, ident.SumDagCBOR([]byte("body")))
	_, errs["accept"] = m.Accept(ctx, object("1"))
	_, errs["propose"] = m.Propose(ctx, vault, object("p"), object("e"), make([]byte, 100_000))
	_, errs["certify"] = m.Certify(ctx, vault, []byte("cert"))
	errs["adopt"] = m.Adopt(ctx, vault, []byte("link"), make([]byte, 100_000))
	_, errs["segments"] = m.Segments(ctx, vault, nonce, []ident.CID{vault})
	_, errs["report"] = m.Report(ctx, vault, object("a"))
	_, errs["evidence"] = m.Evidence(ctx, vault)
	errs["place"] = m.AddPlacement(ctx, vault, ledgerrpc.Placement{Receipt: object("r"), Certificate: object("c")})
	_, errs["placements"] = m.Placements(ctx, vault, []ident.CID{vault})
	_, _, errs["moves"] = m.Moves(ctx, vault, ledger.MovesCursor{})
	_, errs["placed"] = m.Placed(ctx, vault, nonce, []ledger.ShardName{{Segment: vault}})
	errs["request"] = m.Request(ctx, vault, object("r"), ident.Signed{})
	errs["opine"] = m.Opine(ctx, vault, ledger.Veto, object("o"))
	_, errs["cases"] = m.Cases(ctx, vault, ident.CID{})
	errs["confirm"] = m.Confirm(ctx, vault, object("c"))
	_, errs["confirmations"] = m.Confirmations(ctx, vault)
	_, errs["audits"] = m.Audits(ctx, vault, nonce, lane)
	_, errs["held"] = m.Held(ctx, vault, nonce, lane)
	_, _, errs["free"] = m.Free(ctx, vault, vault, ident.CID{})
	_, errs["consent"] = m.Consent(ctx, vault, []byte("release"))
	errs["release"] = m.Release(ctx, vault, []byte("cert"))
	_, errs["released"] = m.Released(ctx, vault, 1, 10)
	_, errs["undo"] = m.Undo(ctx, vault, object("u"))
	errs["undone"] = m.Undone(ctx, vault, []byte("cert"))
	_, errs["standing"] = m.Standing(ctx, vault, nonce, []ident.CID{vault})
	return errs
}

// TestRefusals: every error of the table arrives from every verb as itself, and
// names the member.
func TestRefusals(t *testing.T) {
	f := newFake()
	f.charters = []ident.Signed{object("1")}
	f.bodies[ident.SumDagCBOR([]byte("body"))] = []byte("body")
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for name, err := range everything(t, m) {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	seen := map[uint64]bool{}
	for _, row := range ledgerrpc.Refusals {
		if seen[row.Number] || row.Number == 0 {
			t.Errorf("number %d twice, or zero", row.Number)
		}
		seen[row.Number] = true
		for _, admit := range []bool{false, true} {
			f.refuse, f.forbid = fmt.Errorf("verb: %w", row.Err), nil
			if admit {
				f.forbid = f.refuse
			}
			for name, err := range everything(t, m) {
				var refusal *rpc.Refusal
				var peer *rpc.PeerError
				if !errors.Is(err, row.Err) || !errors.As(err, &refusal) || refusal.Number != row.Number {
					t.Errorf("%s: %v arrives as %v", name, row.Err, err)
				}
				if !errors.As(err, &peer) || peer.Peer != key(1).Public() || peer.Verb != name {
					t.Errorf("%v does not name the member and %s", err, name)
				}
			}
		}
	}
}

func TestHeadError(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for _, want := range []ledgerrpc.HeadError{
		{Err: ledger.ErrStale, Height: 7, Entry: vault},
		{Err: ledger.ErrBehind},
		{Err: ledgerrpc.ErrUnknownEntry, Height: 3, Entry: vault},
		{Err: ledger.ErrFork, Height: 1, Entry: vault, Lock: ledger.Lock{Height: 2, Attempt: 3, Entry: vault}},
		{Err: ledger.ErrAttempt, Height: 7, Entry: vault, Floor: 5},
		{Err: ledger.ErrUndecided, Height: 7, Entry: vault},
		{Err: ledgerrpc.ErrLocked, Lock: ledger.Lock{Height: 1, Entry: vault}},
	} {
		f.refuse = fmt.Errorf("propose: %w", &want)
		_, err := m.Propose(t.Context(), vault, object("p"), object("e"), nil)
		wantErr(t, err, want.Err)
		var got *ledgerrpc.HeadError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%+v arrives as %v", want, err)
		}
	}
	f.refuse = ledger.ErrStale // a backend that says no more
	_, err := m.Propose(t.Context(), vault, object("p"), object("e"), nil)
	wantErr(t, err, ledger.ErrStale)
}

// TestEarlyRefusal: a body that is not admitted is not read.
func TestEarlyRefusal(t *testing.T) {
	f := newFake()
	f.forbid = ledgerrpc.ErrUnknownVault
	m := serve(t, f, ledgerrpc.Limits{PeerBytes: 1 << 20}, ident.Signed{}) // else it would be "busy"
	_, err := m.Propose(t.Context(), vault, object("p"), object("e"), make([]byte, ledger.MaxBody))
	wantErr(t, err, ledgerrpc.ErrUnknownVault)
	f.forbid = nil
	_, err = m.Propose(t.Context(), vault, object("p"), object("e"), make([]byte, ledger.MaxBody))
	wantErr(t, err, ledgerrpc.ErrBusy)
	f.bodies[vault] = make([]byte, 2<<20)
	_, err = m.Body(t.Context(), vault, vault)
	wantErr(t, err, ledgerrpc.ErrBusy)
	if _, err := m.Heads(t.Context(), vault, nonce); err != nil {
		t.Fatal(err)
	}
}
