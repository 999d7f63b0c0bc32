package vault

import (
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
)

// A node that shows the right charter with a false signature hides nothing.
func TestFirstCharterIsNotHidden(t *testing.T) {
	v := ledgertest.NewVault("ours", 4)
	forged := v.Signed
	forged.Signature[0] ^= 1
	got, err := finder{}.first(t.Context(), v.ID(), []ident.Signed{forged, v.Signed})
	if err != nil || got.Signature != v.Signed.Signature {
		t.Errorf("a false signature hides the charter: %v", err)
	}
}
