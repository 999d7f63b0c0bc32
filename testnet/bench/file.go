package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/internal/ident"
)

// ErrDiffers says that what came back is not what was stored.
var ErrDiffers = fmt.Errorf("what came back is not what was stored")

// put stores the large file.
func (r *round) put(ctx context.Context) error {
	sum, err := r.command(ctx, sample{part: Put, source: SourceFile, op: "put", bytes: r.file.size, files: 1}, "put", r.file.path)
	if err != nil {
		return err
	}
	if sum.CID != r.file.cid.String() {
		return fmt.Errorf("%w: put says %s, the file is %s", ErrDiffers, sum.CID, r.file.cid)
	}
	return nil
}

// get fetches it.
func (r *round) get(ctx context.Context) error {
	return r.fetch(ctx, sample{part: Get, source: SourceFile, op: "get", bytes: r.file.size, files: 1}, r.file.cid)
}

// fetch fetches an object, compares it and throws it away.
func (r *round) fetch(ctx context.Context, s sample, cid ident.CID) error {
	out := filepath.Join(r.dir, "fetched")
	defer os.Remove(out)
	if _, err := r.command(ctx, s, "get", cid.String(), "--output", out); err != nil {
		return err
	}
	got, err := hashFile(out)
	if err == nil && got != cid {
		err = fmt.Errorf("%s %s: %w", s.source, s.op, ErrDiffers)
	}
	return err
}
