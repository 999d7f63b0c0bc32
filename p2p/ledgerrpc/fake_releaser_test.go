package ledgerrpc_test

import (
	"bytes"
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// docket is what the fake keeps of requests and releases.
type docket struct {
	requests []ident.Signed // with the successors behind them
	opinions map[ledger.Stance]ident.Signed
	cases    [][]byte
	free     []ident.CID
	certs    [][]byte
	undone   []byte
	released [][]byte

	confirmed []ident.Signed
}

func (f *fake) Confirm(_ context.Context, _ ident.CID, confirmation ident.Signed) error {
	f.confirmed = append(f.confirmed, confirmation)
	return f.refuse
}

func (f *fake) Confirmations(context.Context, ident.CID) ([]ident.Signed, error) {
	return f.confirmed, f.refuse
}

func (f *fake) Request(_ context.Context, _ ident.CID, request, successor ident.Signed) error {
	f.requests = append(f.requests, request, successor)
	return f.refuse
}

func (f *fake) Opine(_ context.Context, _ ident.CID, stance ledger.Stance, opinion ident.Signed) error {
	if f.opinions == nil {
		f.opinions = map[ledger.Stance]ident.Signed{}
	}
	f.opinions[stance] = opinion
	return f.refuse
}

func (f *fake) Cases(_ context.Context, _, after ident.CID) ([][]byte, error) {
	for i, p := range f.cases {
		if c, err := ledger.ParseCase(p); err == nil && c.Asked().CID() == after {
			return f.cases[i+1:], f.refuse
		}
	}
	return f.cases, f.refuse
}

func (f *fake) Free(_ context.Context, _, _, after ident.CID) ([]ident.CID, bool, error) {
	rest := f.free
	for i, s := range f.free {
		if s == after {
			rest = f.free[i+1:]
		}
	}
	return rest, false, f.refuse
}

func (f *fake) Consent(_ context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	return f.word("consent", vault.Bytes(), release), f.refuse
}

func (f *fake) Release(_ context.Context, _ ident.CID, certificate []byte) error {
	f.certs = append(f.certs, bytes.Clone(certificate))
	return f.refuse
}

func (f *fake) Released(_ context.Context, _ ident.CID, from int64, limit int) ([][]byte, error) {
	rest := f.released[min(int(from-1), len(f.released)):]
	return rest[:min(len(rest), limit)], f.refuse
}

func (f *fake) Undo(_ context.Context, vault ident.CID, undo ident.Signed) (ident.Signed, error) {
	return f.word("undo", vault.Bytes(), undo.Object), f.refuse
}

func (f *fake) Undone(_ context.Context, _ ident.CID, certificate []byte) error {
	f.undone = bytes.Clone(certificate)
	return f.refuse
}

func (f *fake) Standing(_ context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	p, err := ledgerrpc.EncodeSegments(releases)
	if err != nil {
		return ident.Signed{}, err
	}
	return f.word("standing", vault.Bytes(), nonce[:], p), f.refuse
}
