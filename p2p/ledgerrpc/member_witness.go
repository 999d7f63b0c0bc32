package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Report implements Witness.
func (m *Member) Report(ctx context.Context, vault ident.CID, attempt ident.Signed) (ident.Signed, error) {
	parts, err := encodeSigned(attempt)
	if err == nil {
		err = checkLength(parts, mostParts(Report)...)
	}
	if err != nil {
		return ident.Signed{}, err
	}
	r := vaultRequest{Op: Report, Vault: vault, Parts: rpc.Lengths(parts)}
	return m.askSigned(ctx, Report, r, parts, ledger.MaxReport)
}

// Evidence implements Witness. What it proves is the caller's to verify.
func (m *Member) Evidence(ctx context.Context, vault ident.CID) ([][]byte, error) {
	var list [][]byte
	err := m.ask(ctx, Evidence, vaultRequest{Op: Evidence, Vault: vault}, nil, evidenceAnswer, func(got [][]byte) error {
		list = got
		return nil
	})
	return list, err
}
