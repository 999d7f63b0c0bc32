package vault

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/object"
)

// TestStolenAppendDevice: whoever has a production host has its keys, the channel to
// every node, and the dedup keys. It opens nothing that others have stored, asks for no
// release, revokes nobody, enrols nobody, and its clock
// decides nothing.
func TestStolenAppendDevice(t *testing.T) {
	m, entropy := newOwned(t)
	s := m.begin(t)
	earlier, err := s.Backup(t.Context(), Backup{Name: "secret", Stream: bytes.NewReader(bytesOf(1, 300_000)), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	thief := m.joinAs(t, entropy, "stolen", ledger.Append).begin(t)
	t.Run("opens nothing", func(t *testing.T) { opensNothing(t, thief, earlier.Final.Link) })
	t.Run("revokes nobody", func(t *testing.T) { revokesNobody(t, thief, earlier.Final.Link.Entry.Lane) })
	t.Run("asks for no release", func(t *testing.T) { asksForNoRelease(t, thief, earlier.Final.Link.CID) })
	t.Run("forges no time", func(t *testing.T) { forgesNoTime(t, thief) })
}

// opensNothing gets what the nodes give to every device, and tries all that it has.
func opensNothing(t *testing.T, s *Session, l Link) {
	b, err := s.snapshotBody(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.profile.Identities) != 0 {
		t.Error("an append device has a vault identity")
	}
	if _, err := seal.OpenBytes(b.Sealed, 1<<20, s.profile.Index); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("the sealed snapshot: %v", err)
	}
	n, err := s.laneSegments(t.Context(), l.Entry.Lane, l.Entry.Height)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.readerConfig(nil, s.holder)
	cfg.Identities = []seal.Identity{s.profile.Index}
	r := object.NewReader(cfg)
	defer r.Close()
	for _, seg := range n.segments {
		sealed, err := r.Whole(t.Context(), seg.CID)
		if err != nil || len(sealed) == 0 {
			t.Errorf("shards are no secret, and were not served: %v", err)
		}
		if seg.Meta {
			if _, err := r.Index(t.Context(), seg.CID); !errors.Is(err, seal.ErrSealed) {
				t.Errorf("the index part: %v", err)
			}
			continue
		}
		if _, err := r.Directory(t.Context(), seg.CID, int64(len(sealed))); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("a data segment: %v", err)
		}
	}
	if places, err := s.index.Places(seal.KindData, seal.ChunkID{}); err != nil || len(places) != 0 {
		t.Errorf("places %v, %v", []index.Place(places), err)
	}
}

// asksForNoRelease hands every member a request for a release.
func asksForNoRelease(t *testing.T, s *Session, target ident.CID) {
	for _, kind := range []ledger.RequestKind{ledger.RequestRelease, ledger.RequestExpiry} {
		request, err := ledger.SignRequest(s.profile.Device, ledger.Request{
			Vault: s.vault, Charter: s.charter.CID(), Kind: kind, Targets: []ident.CID{target}, Clock: ledger.Millis(time.Now()),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.charter.Members {
			if err := s.member(m).Request(t.Context(), s.vault, request, ident.Signed{}); !errors.Is(err, ledger.ErrForbidden) {
				t.Errorf("%s asks %s for it: %v", kind, m.Name, err)
			}
			if cases, err := s.member(m).Cases(t.Context(), s.vault, ident.CID{}); err != nil || len(cases) != 0 {
				t.Errorf("%s keeps %d requests, %v", m.Name, len(cases), err)
			}
		}
	}
}

// revokesNobody asks the members to vote for what only the owner may add.
func revokesNobody(t *testing.T, s *Session, other ident.PublicKey) {
	revoke, err := ledger.RevokeBody{Device: other}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[ledger.Kind][]byte{ledger.KindRevoke: revoke, ledger.KindEnrol: enrolment(t, s)} {
		signed, err := s.sign(s.profile.Device, ledger.Entry{Kind: kind}, body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.offer(t.Context(), s.profile.Device, signed, body)
		if !errors.Is(err, ErrNoQuorum) || !errors.Is(err, ledger.ErrKind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// enrolment is the device's own grant with full rights, signed by the device.
func enrolment(t *testing.T, s *Session) []byte {
	t.Helper()
	g, err := ledger.VerifyGrant(s.profile.Grant, s.charter.Owner, s.vault)
	if err != nil {
		t.Fatal(err)
	}
	g.Rights, g.Device = ledger.Full, ident.NewPrivateKey([ident.SeedSize]byte{9}).Public()
	signed, err := ledger.SignGrant(s.profile.Device, g)
	if err != nil {
		t.Fatal(err)
	}
	body, err := ledger.EnrolBody{Grant: signed}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// forgesNoTime adds an entry with a clock a year ahead.
func forgesNoTime(t *testing.T, s *Session) {
	began := time.Now().Add(-time.Minute)
	s.options.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) }
	r, err := s.Backup(t.Context(), Backup{Name: "f", Stream: bytes.NewReader([]byte("x")), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l := r.Final.Link
	if ahead := ledger.Time(l.Entry.Clock).Sub(time.Now()); ahead < 300*24*time.Hour {
		t.Errorf("the entry's clock is %v ahead", ahead)
	}
	if l.Time.Before(began) || l.Time.After(time.Now().Add(time.Minute)) {
		t.Errorf("the entry's time is %v", l.Time)
	}
}
