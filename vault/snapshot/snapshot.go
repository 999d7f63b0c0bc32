package snapshot

import (
	"fmt"
	"path/filepath"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/seal"
)

// Label is what a snapshot's signature is for.
const Label ident.Label = "snapshot"

const snapshotVersion = 1

// Limits of a snapshot. MaxSnapshot is the largest one, signature included.
const (
	MaxSnapshot = 8 << 20
	// MaxUnread is how many of the sources that could not be read are named.
	MaxUnread  = 1000
	maxPaths   = 1 << 16
	maxTags    = 1000
	maxText    = 1024
	maxUnreads = 1 << 20 // bytes of the paths that are named
)

// Stats counts what is in a snapshot.
type Stats struct {
	Files  int64 `cbor:"files"`
	Dirs   int64 `cbor:"dirs"`
	Others int64 `cbor:"others"`
	Bytes  int64 `cbor:"bytes"`  // of all files
	Added  int64 `cbor:"added"`  // plaintext bytes of new chunks
	Stored int64 `cbor:"stored"` // their stored bytes
	Unread int64 `cbor:"unread"` // sources that could not be read as they were
}

// Unread is one source that could not be read, or not as it was.
type Unread struct {
	Path  []byte `cbor:"path"`
	Error string `cbor:"error"`
}

// Snapshot says what was backed up, when, from where, and what it became.
type Snapshot struct {
	V       uint64          `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Lane    ident.PublicKey `cbor:"lane"`
	Host    string          `cbor:"host"`
	User    string          `cbor:"user,omitempty"`
	Paths   [][]byte        `cbor:"paths"` // absolute, as they were given
	Tags    []string        `cbor:"tags,omitempty"`
	Time    Time            `cbor:"time"`
	End     Time            `cbor:"end"`
	Root    seal.ChunkID    `cbor:"root"`
	Parent  ident.CID       `cbor:"parent,omitzero"` // entry of the snapshot that it was compared with
	Refs    ident.CID       `cbor:"refs"`
	Object  ident.CID       `cbor:"object,omitzero"` // for put: the plaintext's CID
	Partial bool            `cbor:"partial,omitempty"`
	Stats   Stats           `cbor:"stats"`
	Unread  []Unread        `cbor:"unread,omitempty"`
	Program string          `cbor:"program"`
}

// Started returns the start on the device's clock.
func (s Snapshot) Started() time.Time { return s.Time.Time() }

// SignSnapshot encodes and signs s with the lane's key; V is filled in, and Lane
// must be the key's.
func SignSnapshot(lane ident.PrivateKey, s Snapshot) (ident.Signed, error) {
	s.V = snapshotVersion
	if s.Lane != lane.Public() {
		return ident.Signed{}, fmt.Errorf("sign snapshot: %w: another lane's key", ErrSnapshot)
	}
	if err := s.validate(); err != nil {
		return ident.Signed{}, fmt.Errorf("sign snapshot: %w", err)
	}
	p, err := wire.Encode(s)
	if err != nil {
		return ident.Signed{}, fmt.Errorf("sign snapshot: %w", err)
	}
	if len(p) > MaxSnapshot {
		return ident.Signed{}, fmt.Errorf("sign snapshot: %w: %d bytes", ErrSnapshot, len(p))
	}
	return lane.Sign(Label, s.Vault, p), nil
}

// VerifySnapshot checks the signature by the lane over the received bytes, and
// that the snapshot belongs to this lane and vault.
func VerifySnapshot(signed ident.Signed, lane ident.PublicKey, vault ident.CID) (Snapshot, error) {
	if len(signed.Object) > MaxSnapshot {
		return Snapshot{}, fmt.Errorf("verify snapshot: %w: %d bytes", ErrSnapshot, len(signed.Object))
	}
	if err := signed.Verify(lane, Label, vault); err != nil {
		return Snapshot{}, fmt.Errorf("verify snapshot: %w", err)
	}
	s, err := ParseSnapshot(signed.Object)
	if err != nil {
		return Snapshot{}, err
	}
	if s.Lane != lane || s.Vault != vault {
		return Snapshot{}, fmt.Errorf("verify snapshot: %w: of another lane or vault", ErrSnapshot)
	}
	return s, nil
}

// ParseSnapshot reads the encoded object alone. Who signed it is for
// VerifySnapshot to say.
func ParseSnapshot(p []byte) (Snapshot, error) {
	if len(p) > MaxSnapshot {
		return Snapshot{}, fmt.Errorf("parse snapshot: %w: %d bytes", ErrSnapshot, len(p))
	}
	var s Snapshot
	if err := wire.DecodeVersion(p, snapshotVersion, &s); err != nil {
		return Snapshot{}, fmt.Errorf("parse snapshot: %w", err)
	}
	if err := s.validate(); err != nil {
		return Snapshot{}, fmt.Errorf("parse snapshot: %w", err)
	}
	return s, nil
}

func (s *Snapshot) validate() error {
	bad := ""
	switch {
	case len(s.Host) > maxText || len(s.User) > maxText || len(s.Program) > maxText:
		bad = "text too long"
	case len(s.Paths) > maxPaths || len(s.Tags) > maxTags || len(s.Unread) > MaxUnread:
		bad = "too many paths, tags or unread sources"
	case !s.Time.valid() || !s.End.valid():
		bad = "nanoseconds out of range"
	case s.Root == seal.ChunkID{}:
		bad = "no root"
	case s.Object.Defined() && s.Object.Codec() != ident.Raw:
		bad = "object that is not raw"
	case !s.Stats.valid():
		bad = "negative count"
	}
	for _, t := range s.Tags {
		if t == "" || len(t) > maxText {
			bad = "tag empty or too long"
		}
	}
	if bad != "" {
		return fmt.Errorf("%w: %s", ErrSnapshot, bad)
	}
	return nil
}

func (s Stats) valid() bool {
	return min(s.Files, s.Dirs, s.Others, s.Bytes, s.Added, s.Stored, s.Unread) >= 0
}

// AbsolutePaths makes the paths of a command line absolute and clean, in the
// order given and each once: what Archiver.Paths walks and Snapshot.Paths holds.
func AbsolutePaths(paths []string) ([]string, error) {
	seen := make(map[string]bool, len(paths))
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("make %q absolute: %w", p, err)
		}
		if !seen[abs] {
			seen[abs] = true
			out = append(out, abs)
		}
	}
	return out, nil
}
