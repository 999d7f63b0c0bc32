package witness

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"holdfast/internal/ident"
)

// ErrCheckpoint says that a text is no checkpoint of the lane by its device.
var ErrCheckpoint = errors.New("not a checkpoint of the lane")

// maxCheckpoint limits a signed note, cosignatures included.
const maxCheckpoint = 64 << 10

// Origin names a lane's log to witnesses.
func Origin(vault ident.CID, lane ident.PublicKey) string {
	return "holdfast/" + vault.String() + "/" + lane.String()
}

// Key is what a witness is told so that it knows the log: the verifier key of a signed
// note, for the lane's device.
func Key(vault ident.CID, lane ident.PublicKey) (string, error) {
	return note.NewEd25519VerifierKey(Origin(vault, lane), ed25519.PublicKey(lane[:]))
}

// Checkpoint is the head of a lane's log, as its device has signed it.
type Checkpoint struct {
	Size      int64
	Root      tlog.Hash
	Cosigners []string // names in further signatures, which are not verified here
}

// Checkpoint signs the tree's head with the key of the lane's device. Nobody may sign
// two trees of which one does not go on from the other: the caller sees to it that the
// entries are final.
func (l *Log) Checkpoint(device ident.PrivateKey) ([]byte, error) {
	if device.Public() != l.lane {
		return nil, fmt.Errorf("sign checkpoint of lane %s: %w: another device's key", l.lane.Short(), ErrCheckpoint)
	}
	root, err := tlog.TreeHash(l.size, l.hashes)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of lane %s: %w", l.lane.Short(), err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", Origin(l.vault, l.lane), l.size, root)
	return note.Sign(&note.Note{Text: text}, signer{Origin(l.vault, l.lane), device})
}

// signer is a device as the signer of notes. What it signs begins with the origin, so
// it is neither a signed object of docs/format.md nor a message of the channel.
type signer struct {
	name   string
	device ident.PrivateKey
}

func (s signer) Name() string { return s.name }

// KeyHash implements note.Signer, by the key that Key returns.
func (s signer) KeyHash() uint32 {
	key, err := note.NewEd25519VerifierKey(s.name, s.public())
	if err != nil {
		return 0
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return 0
	}
	return v.KeyHash()
}

func (s signer) public() ed25519.PublicKey {
	public := s.device.Public()
	return ed25519.PublicKey(public[:])
}

func (s signer) Sign(msg []byte) ([]byte, error) {
	seed := s.device.Seed()
	return ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), msg), nil
}

// OpenCheckpoint verifies a checkpoint of a lane, by the lane's key.
func OpenCheckpoint(text []byte, vault ident.CID, lane ident.PublicKey) (Checkpoint, error) {
	key, err := Key(vault, lane)
	if err != nil {
		return Checkpoint{}, err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return Checkpoint{}, err
	}
	if len(text) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%w: longer than %d bytes", ErrCheckpoint, maxCheckpoint)
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseHead(n.Text, Origin(vault, lane))
	if err != nil {
		return Checkpoint{}, err
	}
	for _, s := range n.UnverifiedSigs {
		c.Cosigners = append(c.Cosigners, s.Name)
	}
	return c, nil
}

// parseHead reads origin, size and root.
//
// SPEC: no leading zeroes; extension lines, if any, are not empty
func parseHead(text, origin string) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != origin {
		return Checkpoint{}, fmt.Errorf("%w: another origin", ErrCheckpoint)
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || n < 0 || lines[1] != strconv.FormatInt(n, 10) {
		return Checkpoint{}, fmt.Errorf("%w: size %.20q", ErrCheckpoint, lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root", ErrCheckpoint)
	}
	return Checkpoint{Size: n, Root: root}, nil
}
