package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// certifiedBed is a vault with a certified release of a snapshot, and what a member
// shows of it.
func certifiedBed(t *testing.T) (b *chamber, target ident.CID, request ident.Signed, shown ledger.Released) {
	t.Helper()
	b = newQuickChamber(t, 4)
	target, _ = b.snapshot("old", 3)
	b.snapshot("new", 1)
	request = b.request(b.vault.Owner, []ident.CID{target})
	_, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	b.must(err)
	list, _, err := releasedBy(t.Context(), storeSeat{b.stores[2]}, b.vault.ID(), 0)
	b.must(err)
	if len(list) != 1 {
		t.Fatalf("%d releases", len(list))
	}
	return b, target, request, list[0]
}

func (b *chamber) charters() charterBy {
	return func(id ident.CID) (ledger.Charter, bool) { return b.vault.Charter, id == b.vault.Charter.CID() }
}

// TestReleasesAreProved: a member cannot invent a release: not with too few consents,
// not with other segments, not under another charter.
func TestReleasesAreProved(t *testing.T) {
	b, target, request, shown := certifiedBed(t)
	r := newReleases(t.TempDir())
	for name, cert := range map[string][]byte{
		"empty":   nil,
		"damaged": append(bytes.Clone(shown.Cert[:len(shown.Cert)-1]), shown.Cert[len(shown.Cert)-1]^1),
		"cut":     shown.Cert[:len(shown.Cert)/2],
	} {
		if news, err := r.take(cert, nil, b.charters()); err == nil || news {
			t.Errorf("%s: %v, %v", name, news, err)
		}
	}
	if _, err := r.take(shown.Cert, nil, func(ident.CID) (ledger.Charter, bool) { return ledger.Charter{}, false }); !errors.Is(err, ledger.ErrCharter) {
		t.Errorf("under another charter: %v", err)
	}
	r.conclude()
	if len(r.segments)+len(r.forgotten) > 0 {
		t.Fatal("something follows from what was not proved")
	}
	if news, err := r.take(shown.Cert, nil, b.charters()); err != nil || !news {
		t.Fatalf("a release: %v, %v", news, err)
	}
	if news, err := r.take(shown.Cert, []byte("no undo"), b.charters()); err == nil || news {
		t.Errorf("a false undo: %v, %v", news, err)
	}
	if r.conclude(); len(r.segments) != 3 || len(r.forgotten) != 0 || !r.unexplained() {
		t.Errorf("without its request: %d segments, %d snapshots", len(r.segments), len(r.forgotten))
	}
	b.now = b.now.Add(time.Second)
	stray := b.request(b.vault.Owner, []ident.CID{target}, 0)
	if r.explain(stray) || !r.explain(request) || r.unexplained() {
		t.Error("a release is explained by its own request alone")
	}
	if r.conclude(); len(r.forgotten) != 1 || r.forgotten[target] != request.CID() {
		t.Errorf("forgotten: %v", r.forgotten)
	}
}

// TestReleasesAreCached: what was proved once is there again without a member, and a
// file that somebody has changed proves nothing.
func TestReleasesAreCached(t *testing.T) {
	b, target, request, shown := certifiedBed(t)
	dir := t.TempDir()
	r := newReleases(dir)
	_, err := r.take(shown.Cert, shown.Undo, b.charters())
	b.must(err)
	r.explain(request)
	node := b.vault.Charter.Members[2].Node
	r.seen[node] = shown.Seq
	r.keep()
	again := newReleases(dir)
	again.read(b.charters())
	if again.forgotten[target] != request.CID() || len(again.segments) != 3 || again.seen[node] != shown.Seq {
		t.Errorf("read again: %+v", again)
	}
	path := filepath.Join(dir, releasesName)
	p, err := os.ReadFile(path)
	b.must(err)
	for i := 0; i < len(p); i += 7 {
		q := bytes.Clone(p)
		q[i] ^= 0x40
		b.must(os.WriteFile(path, q, 0o600))
		hurt := newReleases(dir)
		hurt.read(b.charters())
		for id := range hurt.segments {
			if !again.segments[id] {
				t.Fatalf("byte %d: segment %v follows from a damaged file", i, id)
			}
		}
		for id := range hurt.forgotten {
			if id != target {
				t.Fatalf("byte %d: snapshot %v follows from a damaged file", i, id)
			}
		}
	}
}
