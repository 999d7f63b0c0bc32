package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/internal/ident"
	"holdfast/testnet"
)

// ErrDiffers says that what came back is not what was stored.
var ErrDiffers = errors.New("what came back is not what was stored")

// stored is what the vault holds so far.
type stored struct {
	object     ident.CID // of the file, as it was put
	file, tree string    // the newest snapshots
	treeWork   work
	fileWork   work
}

// put stores the large file as an object.
func (r *round) put(ctx context.Context) error {
	r.stored.fileWork = work{object: true, cut: 1, fresh: 1, stored: 1, spread: r.spread()}
	s := sample{part: Put, source: SourceFile, op: "put", bytes: r.file.size, files: 1, floor: r.floor(putTerms(r.stored.fileWork))}
	s, sum, err := r.command(ctx, s, "put", r.file.path)
	if err != nil {
		return err
	}
	if sum.CID != r.file.cid.String() {
		return fmt.Errorf("%w: put says %s, the file is %s", ErrDiffers, sum.CID, r.file.cid)
	}
	r.stored.object = r.file.cid
	r.note(s)
	return nil
}

// spread is what the code makes of a byte.
func (b *bench) spread() float64 { return float64(b.code.N) / float64(b.code.K) }

// get fetches the object.
func (r *round) get(ctx context.Context) error { return r.fetch(ctx, Get, "get") }

// fetch fetches the object, compares it and throws it away.
func (r *round) fetch(ctx context.Context, part Part, op string) error {
	out := filepath.Join(r.dir, "fetched")
	defer os.Remove(out)
	s := sample{part: part, source: SourceFile, op: op, bytes: r.file.size, files: 1, floor: r.floor(getTerms(r.stored.fileWork))}
	s, _, err := r.command(ctx, s, "get", r.stored.object.String(), "--output", out)
	if err != nil {
		return err
	}
	got, err := hashFile(out)
	if err == nil && got != r.stored.object {
		err = fmt.Errorf("%s %s: %w", s.source, s.op, ErrDiffers)
	}
	if err == nil {
		r.note(s)
	}
	return err
}

// backUp measures a backup and returns what it said.
func (r *round) backUp(ctx context.Context, s sample, path string) (summary, error) {
	s, sum, err := r.command(ctx, s, "backup", path)
	if err != nil {
		return sum, err
	}
	if s.source == SourceTree && s.op == opBackup {
		r.stored.treeWork = r.treeWork(sum)
		s.floor = r.floor(putTerms(r.stored.treeWork))
	}
	r.note(s)
	return sum, nil
}

// restore measures the restore of a snapshot of path, compares and throws away. A
// sample without a name is not kept.
func (r *round) restore(ctx context.Context, s sample, snapshot, path string) error {
	target := filepath.Join(r.dir, "restored")
	defer removeTree(target)
	s, _, err := r.command(ctx, s, "restore", snapshot, "--target", target)
	if err != nil {
		return err
	}
	if _, err := testnet.Compare(ctx, path, filepath.Join(target, path)); err != nil {
		return fmt.Errorf("%s %s: %w: %w", s.source, s.op, ErrDiffers, err)
	}
	if s.op != opVerify {
		r.note(s)
	}
	return nil
}

// removeTree removes a tree even where folders in it are read-only.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
