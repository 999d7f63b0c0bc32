package shardrpc

import (
	"fmt"

	"holdfast/ledger/custody"
)

// encodeListed writes the rows of an inventory, as ledger/custody has them.
func encodeListed(shards []Ref) ([]byte, error) {
	p := make([]byte, 0, custody.RowBytes*len(shards))
	for _, r := range shards {
		if !r.valid() {
			return nil, fmt.Errorf("encode shard %v: %w: no name of a shard", r, ErrBadRequest)
		}
		p = custody.AppendRow(p, custody.Row{Digest: r.Segment.Hash(), Index: uint16(r.Index)})
	}
	return p, nil
}

// parseListed reads rows of one bucket, all of them behind after, if that is not zero.
func parseListed(p []byte, bucket byte, after Ref) ([]Ref, error) {
	rows, err := custody.ParseRows(p, int(bucket))
	if err != nil || len(rows) > MaxListed {
		return nil, fmt.Errorf("parse bucket: %w: %d bytes (%v)", ErrBadRequest, len(p), err)
	}
	shards := make([]Ref, len(rows))
	for i, r := range rows {
		shards[i] = Ref(r.Shard())
		if i == 0 && after != (Ref{}) && r.Compare(custody.Row{Digest: after.Segment.Hash(), Index: uint16(after.Index)}) <= 0 || !shards[i].valid() {
			return nil, fmt.Errorf("parse bucket: %w: a row is none of those asked for", ErrBadRequest)
		}
	}
	return shards, nil
}

// encodeAfter is one row, or nothing for the zero shard.
func encodeAfter(after Ref) ([]byte, error) {
	if after == (Ref{}) {
		return nil, nil
	}
	return encodeListed([]Ref{after})
}

// parseAfter is the inverse of encodeAfter.
func parseAfter(p []byte, bucket byte) (Ref, error) {
	if len(p) == 0 {
		return Ref{}, nil
	}
	shards, err := parseListed(p, bucket, Ref{})
	if err != nil || len(shards) != 1 {
		return Ref{}, fmt.Errorf("parse bucket: %w: no shard to begin behind", ErrBadRequest)
	}
	return shards[0], nil
}
