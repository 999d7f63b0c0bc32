package witness

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"holdfast/internal/ident"
)

// ErrProof says that a text does not prove that an entry is in a lane's checkpoint.
var ErrProof = errors.New("not a proof of the entry")

// Proof is a C2SP tlog-proof: a checkpoint, and the path from one entry to its root.
type Proof struct {
	index      int64
	path       tlog.RecordProof
	checkpoint []byte
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	maxPath     = 64 // a path is no longer than an index has bits
	maxProof    = maxCheckpoint + 8<<10
)

// Text is the proof as it is kept and handed over.
func (p Proof) Text() []byte {
	text := fmt.Appendf(nil, "%s\nindex %d\n", proofHeader, p.index)
	for _, h := range p.path {
		text = fmt.Appendf(text, "%s\n", h)
	}
	return append(append(text, '\n'), p.checkpoint...)
}

// ParseProof reads a foreign text. Nothing in it is verified.
func ParseProof(text []byte) (Proof, error) {
	if len(text) > maxProof {
		return Proof{}, fmt.Errorf("%w: longer than %d bytes", ErrProof, maxProof)
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || lines[0] != proofHeader {
		return Proof{}, fmt.Errorf("%w: it does not begin as one", ErrProof)
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:] // opaque, and covered by nothing
	}
	if len(lines) == 0 || len(lines)-1 > maxPath {
		return Proof{}, fmt.Errorf("%w: %d lines", ErrProof, len(lines))
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || index < 0 || number != strconv.FormatInt(index, 10) {
		return Proof{}, fmt.Errorf("%w: index %.30q", ErrProof, lines[0])
	}
	p := Proof{index: index, checkpoint: checkpoint}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Proof{}, fmt.Errorf("%w: hash %.50q", ErrProof, line)
		}
		p.path = append(p.path, h)
	}
	return p, nil
}

// Verify checks that an entry of a lane is where the proof says, in a checkpoint that
// the lane's device has signed.
func (p Proof) Verify(vault ident.CID, lane ident.PublicKey, height int64, entry ident.CID) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.checkpoint, vault, lane)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.index != height-1 || p.index >= c.Size {
		return Checkpoint{}, fmt.Errorf("%w: index %d in a tree of %d", ErrProof, p.index, c.Size)
	}
	if err := tlog.CheckRecord(p.path, c.Size, c.Root, p.index, leaf(entry)); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the path does not lead to the root", ErrProof)
	}
	return c, nil
}
