package witness

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"holdfast/internal/ident"
)

// Log is the Merkle tree over the entries of one lane, from height 1 on: leaf i is the
// 36 bytes of the CID of the entry at height i+1.
type Log struct {
	vault  ident.CID
	lane   ident.PublicKey
	size   int64
	hashes memory
}

// memory is a tree's stored hashes.
type memory []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at < 0 || at >= int64(len(m)) {
			return nil, errors.New("no such hash in the tree")
		}
		out[i] = m[at]
	}
	return out, nil
}

// NewLog makes the tree of a lane's entries, in their order.
func NewLog(vault ident.CID, lane ident.PublicKey, entries []ident.CID) (*Log, error) {
	l := &Log{vault: vault, lane: lane, size: int64(len(entries))}
	for i, e := range entries {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf(e), l.hashes)
		if err != nil {
			return nil, fmt.Errorf("make tree of lane %s: %w", lane.Short(), err)
		}
		l.hashes = append(l.hashes, more...)
	}
	return l, nil
}

func leaf(entry ident.CID) tlog.Hash { return tlog.RecordHash(entry.Bytes()) }

// Size returns the number of entries.
func (l *Log) Size() int64 { return l.size }

// Prove returns the proof that the entry at a height is in the tree, for a checkpoint
// of it.
func (l *Log) Prove(height int64, checkpoint []byte) (Proof, error) {
	if height < 1 || height > l.size {
		return Proof{}, fmt.Errorf("prove entry %d of %d: %w", height, l.size, ErrProof)
	}
	path, err := tlog.ProveRecord(l.size, height-1, l.hashes)
	if err != nil {
		return Proof{}, fmt.Errorf("prove entry %d of %d: %w", height, l.size, err)
	}
	return Proof{height - 1, path, checkpoint}, nil
}

// Since returns what a witness is sent that has last cosigned the tree of a smaller
// size: C2SP tlog-witness, the body of add-checkpoint.
func (l *Log) Since(old int64, checkpoint []byte) ([]byte, error) {
	if old < 0 || old > l.size {
		return nil, fmt.Errorf("prove growth from %d to %d: %w", old, l.size, ErrProof)
	}
	var path tlog.TreeProof
	if old > 0 && old < l.size {
		var err error
		if path, err = tlog.ProveTree(l.size, old, l.hashes); err != nil {
			return nil, fmt.Errorf("prove growth from %d to %d: %w", old, l.size, err)
		}
	}
	text := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range path {
		text = fmt.Appendf(text, "%s\n", h)
	}
	return append(append(text, '\n'), checkpoint...), nil
}
