package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// vector is a file in testdata. It is kept for ever: a reader that changes still
// reads it, and a writer that changes gets a new file beside it.
type vector struct {
	Label     string `json:"label,omitempty"`
	Scope     string `json:"scope,omitempty"`
	Object    string `json:"object"`
	Signature string `json:"signature,omitempty"`
	CID       string `json:"cid"`
}

func (s structure) vector() vector {
	v := vector{Label: string(s.label), Object: hex.EncodeToString(s.signed.Object), CID: s.signed.CID().String()}
	if s.label != "" {
		v.Signature = hex.EncodeToString(s.signed.Signature.Bytes())
		if s.scope.Defined() {
			v.Scope = s.scope.String()
		}
	}
	return v
}

func (v vector) signed(t *testing.T) ident.Signed {
	t.Helper()
	object, err := hex.DecodeString(v.Object)
	if err != nil {
		t.Fatal(err)
	}
	s := ident.Signed{Object: object}
	if v.Label != "" {
		s.Signature = must(ident.SignatureFromBytes(must(hex.DecodeString(v.Signature))))
	}
	return s
}

// The bytes of docs/format.md, section 6: what is built today is what was built
// when the files were written, and what was written then is accepted today. Keys
// are those of ledgertest.Key. HOLDFAST_WRITE_VECTORS=1 writes files that are not
// there; it never changes one.
func TestVectors(t *testing.T) {
	for _, s := range newWorld().structures() {
		t.Run(s.name, func(t *testing.T) {
			path := filepath.Join("testdata", s.name+".json")
			now := append(must(json.MarshalIndent(s.vector(), "", "  ")), '\n')
			was, err := os.ReadFile(path)
			if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
				was, err = now, os.WriteFile(path, now, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(was, now) {
				t.Errorf("built differently now:\n%s\nwas\n%s", now, was)
			}
			var v vector
			if err := json.Unmarshal(was, &v); err != nil {
				t.Fatal(err)
			}
			old := v.signed(t)
			if got := old.CID().String(); got != v.CID {
				t.Errorf("CID %s, was %s", got, v.CID)
			}
			if err := s.verify(old); err != nil {
				t.Errorf("no longer accepted: %v", err)
			}
		})
	}
}

// Every file in testdata belongs to a test.
func TestVectorsAreAllRead(t *testing.T) {
	known := map[string]bool{}
	for _, s := range newWorld().structures() {
		known[s.name+".json"] = true
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.IsDir() && !known[f.Name()] {
			t.Errorf("%s is read by no test", f.Name())
		}
	}
}

// The vault's ID, the names of entries and the name of a reference set are CIDs of
// bytes as they stand in the files.
func TestVectorNames(t *testing.T) {
	w := newWorld()
	if w.vault.ID() != w.vault.Signed.CID() || w.vault.ID().Codec() != ident.DagCBOR {
		t.Error("the vault's ID is not its first charter's CID")
	}
	if w.second.Entry.Prev != w.first.Signed.CID() {
		t.Error("prev is not the CID of the entry before")
	}
	refs := must(ledger.ParseRefSet(w.body.Refs))
	if w.body.RefsCID() != ident.SumDagCBOR(must(refs.Encode())) {
		t.Error("the name of a reference set is not the CID of its bytes")
	}
}
