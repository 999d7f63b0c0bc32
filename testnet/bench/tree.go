package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"holdfast/chunker"
)

// tree is the source of many small files: text, of sizes as in a source tree, and a
// quarter of them copies of others.
type tree struct {
	dir   string
	paths []string
	bytes int64
	cut   int64 // of it in files that are long enough to be cut
}

const (
	filesPerFolder  = 50
	foldersPerLevel = 50
	meanFile        = 56_700 // bytes
	sigmaFile       = 1.25   // of the logarithm of sizes
	maxFile         = 2 << 20
	minFile         = 64
	oneCopyIn       = 4
)

// writeTree makes the tree. It is left in the page cache.
func writeTree(ctx context.Context, dir string, count int, seed uint64) (tree, error) {
	t := tree{dir: dir}
	a, random := newAuthor(seed), rand.New(source(seed, "tree"))
	for i := range count {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		text := make([]byte, 0)
		if i > 0 && random.IntN(oneCopyIn) == 0 {
			var err error
			if text, err = os.ReadFile(t.paths[random.IntN(i)]); err != nil {
				return t, fmt.Errorf("make tree: %w", err)
			}
		} else {
			text = make([]byte, fileSize(random))
			a.write(text)
		}
		if err := t.add(i, text); err != nil {
			return t, err
		}
	}
	return t, nil
}

// fileSize draws from a log-normal distribution.
func fileSize(random *rand.Rand) int {
	mu := math.Log(meanFile) - sigmaFile*sigmaFile/2
	return min(maxFile, max(minFile, int(math.Exp(mu+sigmaFile*random.NormFloat64()))))
}

func (t *tree) add(i int, text []byte) error {
	folder := i / filesPerFolder
	path := filepath.Join(t.dir, fmt.Sprintf("part-%02d", folder/foldersPerLevel), fmt.Sprintf("package-%02d", folder%foldersPerLevel), fmt.Sprintf("file-%05d.go", i))
	if i%filesPerFolder == 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make tree: %w", err)
		}
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("make tree: %w", err)
	}
	t.paths = append(t.paths, path)
	t.bytes += int64(len(text))
	if len(text) >= chunker.MinSize {
		t.cut += int64(len(text))
	}
	return nil
}

// change inserts a line into one percent of the files, and adds a tenth of a percent
// of new ones; at least one each.
func (t *tree) change(seed uint64) error {
	a, random := newAuthor(seed), rand.New(source(seed, "change"))
	count := len(t.paths)
	for _, i := range random.Perm(count)[:max(1, count/100)] {
		text, err := os.ReadFile(t.paths[i])
		if err != nil {
			return fmt.Errorf("change tree: %w", err)
		}
		line := fmt.Appendf(nil, "// %s: %d\n", a.word(), random.Uint64())
		if err := os.WriteFile(t.paths[i], slices.Insert(text, random.IntN(len(text)+1), line...), 0o644); err != nil {
			return fmt.Errorf("change tree: %w", err)
		}
		t.bytes += int64(len(line))
	}
	for i := range max(1, count/1000) {
		text := make([]byte, fileSize(random))
		a.write(text)
		if err := t.add(count+i, text); err != nil {
			return err
		}
	}
	return nil
}
