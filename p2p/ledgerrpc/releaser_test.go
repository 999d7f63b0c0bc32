package ledgerrpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

// segmentsNamed makes names of segments, in no order.
func segmentsNamed(n int) []ident.CID {
	var out []ident.CID
	for i := range n {
		out = append(out, ident.SumDagCBOR([]byte(fmt.Sprint(i))))
	}
	return out
}

// What is brought about requests and releases arrives as it was.
func TestBringing(t *testing.T) {
	f := newFake()
	grant := object("grant")
	m := serve(t, f, ledgerrpc.Limits{}, grant)
	ctx := t.Context()
	for _, err := range []error{
		m.Request(ctx, vault, object("request"), object("successor")),
		m.Request(ctx, vault, object("alone"), ident.Signed{}),
		m.Opine(ctx, vault, ledger.Approve, object("yes")),
		m.Opine(ctx, vault, ledger.Veto, object("no")),
		m.Release(ctx, vault, bytes.Repeat([]byte{1}, ledger.MaxReleaseCertificate)),
		m.Undone(ctx, vault, bytes.Repeat([]byte{2}, ledger.MaxUndoCertificate)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []ident.Signed{object("request"), object("successor"), object("alone"), {}} {
		if !same(f.requests[i], want) {
			t.Errorf("request %d is another", i)
		}
	}
	if !same(f.opinions[ledger.Approve], object("yes")) || !same(f.opinions[ledger.Veto], object("no")) {
		t.Error("opinions are others")
	}
	if len(f.certs) != 1 || len(f.certs[0]) != ledger.MaxReleaseCertificate || len(f.undone) != ledger.MaxUndoCertificate {
		t.Error("certificates are others")
	}
	for _, want := range []struct {
		verb  ledgerrpc.Verb
		grant bool
	}{{ledgerrpc.Ask, true}, {ledgerrpc.Opine, false}, {ledgerrpc.Release, true}} {
		i := slices.IndexFunc(f.asked, func(r ledgerrpc.Request) bool { return r.Verb == want.verb })
		if i < 0 || f.asked[i].Vault != vault || f.asked[i].Grant.IsZero() == want.grant {
			t.Errorf("%s is asked for as %+v", want.verb, f.asked[i])
		}
	}
	for _, err := range []error{
		m.Release(ctx, vault, make([]byte, ledger.MaxReleaseCertificate+1)),
		m.Undone(ctx, vault, make([]byte, ledger.MaxUndoCertificate+1)),
		errOf(m.Consent(ctx, vault, make([]byte, ledger.MaxRelease+1))),
		m.Opine(ctx, vault, "abstain", object("o")),
		m.Request(ctx, vault, ident.Signed{Object: make([]byte, ledger.MaxRequest+1<<11)}, ident.Signed{}),
	} {
		wantErr(t, err, ledgerrpc.ErrBadRequest)
	}
}

func TestReleaseWords(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	ctx := t.Context()
	release, asked := bytes.Repeat([]byte{3}, 2000), segmentsNamed(ledger.MaxStates)
	rows, err := ledgerrpc.EncodeSegments(asked)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ask  func() (ident.Signed, error)
		want ident.Signed
	}{
		"consent":  {func() (ident.Signed, error) { return m.Consent(ctx, vault, release) }, f.word("consent", vault.Bytes(), release)},
		"undo":     {func() (ident.Signed, error) { return m.Undo(ctx, vault, object("u")) }, f.word("undo", vault.Bytes(), object("u").Object)},
		"standing": {func() (ident.Signed, error) { return m.Standing(ctx, vault, nonce, asked) }, f.word("standing", vault.Bytes(), nonce[:], rows)},
	} {
		if got, err := c.ask(); err != nil || !same(got, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, list := range [][]ident.CID{nil, segmentsNamed(ledger.MaxStates + 1)} {
		_, err := m.Standing(ctx, vault, nonce, list)
		wantErr(t, err, ledgerrpc.ErrBadRequest)
	}
}

// What guardians confirm arrives as it was, of as many as a charter can have.
func TestConfirmations(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	ctx := t.Context()
	if list, err := m.Confirmations(ctx, vault); err != nil || len(list) != 0 {
		t.Fatal(len(list), err)
	}
	for i := range ledger.MaxGuardians {
		if err := m.Confirm(ctx, vault, object(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	list, err := m.Confirmations(ctx, vault)
	if err != nil || len(list) != ledger.MaxGuardians {
		t.Fatal(len(list), err)
	}
	for i, s := range list {
		if !same(s, object(fmt.Sprint(i))) {
			t.Errorf("confirmation %d is another", i)
		}
	}
	f.confirmed = append(f.confirmed, object("one too many"))
	_, err = m.Confirmations(ctx, vault)
	wantErr(t, err, ledger.ErrTooLarge)
	wantErr(t, m.Confirm(ctx, vault, ident.Signed{Object: make([]byte, ledger.MaxSmall+1<<11)}), ledgerrpc.ErrBadRequest)
}

func TestFree(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	if got, more, err := m.Free(t.Context(), vault, vault, ident.CID{}); err != nil || len(got) != 0 || more {
		t.Fatal(got, more, err)
	}
	f.free = segmentsNamed(2*ledger.MaxTargets + 7)
	var got []ident.CID
	for more := true; more; {
		var page []ident.CID
		var after ident.CID
		if len(got) > 0 {
			after = got[len(got)-1]
		}
		var err error
		if page, more, err = m.Free(t.Context(), vault, vault, after); err != nil || len(page) == 0 {
			t.Fatal(len(page), err)
		}
		got = append(got, page...)
	}
	if !slices.Equal(got, f.free) {
		t.Errorf("%d segments of %d, or in another order", len(got), len(f.free))
	}
}

// aCase is the n-th of a list, about a vault that there is nowhere.
func aCase(n int) []byte {
	v := ledgertest.NewVault("cases", 2)
	r := v.DraftRequest(ledger.RequestRelease, vault)
	r.Reason = fmt.Sprint(n)
	request, err := ledger.SignRequest(v.Owner, r)
	if err != nil {
		panic(err)
	}
	p, err := ledger.Case{Request: request, State: ledger.StateRequested}.Encode()
	if err != nil {
		panic(err)
	}
	return p
}

func TestCases(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for i := range ledgerrpc.MaxCases + 5 {
		f.cases = append(f.cases, aCase(i))
	}
	var got [][]byte
	for after := (ident.CID{}); ; {
		page, err := m.Cases(t.Context(), vault, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		last, err := ledger.ParseCase(page[len(page)-1])
		if err != nil {
			t.Fatal(err)
		}
		after = last.Asked().CID()
	}
	if !slices.EqualFunc(got, f.cases, bytes.Equal) {
		t.Errorf("%d cases of %d", len(got), len(f.cases))
	}
	f.cases = [][]byte{[]byte("no case")}
	_, err := m.Cases(t.Context(), vault, ident.CID{})
	wantErr(t, err, rpc.ErrProtocol)
}

func TestReleased(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	add := func(seq int64) {
		p, err := ledger.Released{Seq: seq, Cert: []byte{0xa0}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		f.released = append(f.released, p)
	}
	for i := range ledgerrpc.MaxReleased + 5 {
		add(int64(i) + 1)
	}
	first, err := m.Released(t.Context(), vault, 1, 1_000_000)
	if err != nil || len(first) != ledgerrpc.MaxReleased {
		t.Fatal(len(first), err)
	}
	rest, err := m.Released(t.Context(), vault, int64(len(first))+1, 1000)
	if err != nil || len(rest) != 5 {
		t.Fatal(len(rest), err)
	}
	add(3) // goes back, and a loop would never end
	_, err = m.Released(t.Context(), vault, int64(ledgerrpc.MaxReleased), 1000)
	wantErr(t, err, ledgerrpc.ErrLied)
	for _, bad := range [][2]int{{0, 1}, {1, 0}} {
		_, err := m.Released(t.Context(), vault, int64(bad[0]), bad[1])
		wantErr(t, err, ledgerrpc.ErrBadRequest)
	}
}

// The segments of a refusal travel with it, as many as there is room for.
func TestRefusedSegments(t *testing.T) {
	f := newFake()
	m := serve(t, f, ledgerrpc.Limits{}, ident.Signed{})
	for _, sentinel := range []error{ledger.ErrClosing, ledger.ErrNotFree} {
		for _, n := range []int{0, 1, ledger.MaxNamed, ledger.MaxNamed + 1} {
			segments := segmentsNamed(n)
			f.refuse = fmt.Errorf("check: %w", &ledger.SegmentsError{Err: sentinel, Segments: segments})
			_, err := m.Consent(t.Context(), vault, []byte("release"))
			wantErr(t, err, sentinel)
			var named *ledger.SegmentsError
			if told := errors.As(err, &named); told != (n > 0) || told && !slices.Equal(named.Segments, segments[:min(n, ledger.MaxNamed)]) {
				t.Errorf("%d segments arrive as %v", n, named)
			}
		}
	}
}

func errOf[T any](_ T, err error) error { return err }
