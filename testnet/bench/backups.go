package bench

import (
	"context"

	"holdfast/testnet"
)

// Operations.
const (
	opBackup    = "backup"
	opRestore   = "restore"
	opKnown     = "backup of known data"
	opUnchanged = "backup unchanged"
	opChanged   = "backup 1% changed"
	opDegraded  = "with half dead"
	opVerify    = "verify" // not reported
)

// treeWork is what a first backup of the tree had to do, by its own word.
func (r *round) treeWork(sum summary) work {
	total := float64(r.tree.bytes)
	return work{
		small: true, text: true, cut: float64(r.tree.cut) / total,
		fresh: float64(sum.Added) / total, stored: float64(sum.Packed) / total, spread: r.spread(),
	}
}

func (r *round) ofTree(part Part, op string) sample {
	return sample{part: part, source: SourceTree, op: op, bytes: r.tree.bytes, files: int64(len(r.tree.paths))}
}

func (r *round) ofFile(part Part, op string) sample {
	return sample{part: part, source: SourceFile, op: op, bytes: r.file.size, files: 1}
}

// trees stores the tree and restores it.
func (r *round) trees(ctx context.Context) error {
	sum, err := r.backUp(ctx, r.ofTree(Tree, opBackup), r.tree.dir)
	if err != nil {
		return err
	}
	r.stored.tree = sum.ID
	return r.restoreTree(ctx, Tree, opRestore)
}

func (r *round) restoreTree(ctx context.Context, part Part, op string) error {
	s := r.ofTree(part, op)
	s.floor = r.floor(getTerms(r.stored.treeWork))
	return r.restore(ctx, s, r.stored.tree, r.tree.dir)
}

// again backs up what has not changed. The file was put as an object: a first backup
// reads it, and finds that the vault holds all of it.
func (r *round) again(ctx context.Context) error {
	if r.choice.file {
		if err := r.backUpFile(ctx, Again, opKnown); err != nil {
			return err
		}
		if err := r.backUpFile(ctx, Again, opUnchanged); err != nil {
			return err
		}
	}
	if !r.choice.tree {
		return nil
	}
	sum, err := r.backUp(ctx, r.ofTree(Again, opUnchanged), r.tree.dir)
	r.stored.tree = sum.ID
	return err
}

// backUpFile backs up the file.
func (r *round) backUpFile(ctx context.Context, part Part, op string) error {
	sum, err := r.backUp(ctx, r.ofFile(part, op), r.file.path)
	if err == nil {
		r.stored.file = sum.ID
	}
	return err
}

// changed changes one percent of each source and backs it up.
func (r *round) changed(ctx context.Context, seed uint64) (err error) {
	if r.choice.file {
		if r.stored.file == "" {
			if err := r.backUpFile(ctx, Changed, opKnown); err != nil {
				return err
			}
		}
		if r.file, err = r.file.overwrite(seed); err != nil {
			return err
		}
		if err := r.backUpFile(ctx, Changed, opChanged); err != nil {
			return err
		}
	}
	if r.choice.tree {
		if err := r.tree.change(seed); err != nil {
			return err
		}
		sum, err := r.backUp(ctx, r.ofTree(Changed, opChanged), r.tree.dir)
		if err != nil {
			return err
		}
		r.stored.tree = sum.ID
	}
	return r.verifyChanged(ctx)
}

// verifyChanged restores and compares what was stored after a change, for the sake
// of comparing it.
func (r *round) verifyChanged(ctx context.Context) error {
	if r.choice.file {
		if err := r.restore(ctx, r.ofFile(Changed, opVerify), r.stored.file, r.file.path); err != nil {
			return err
		}
	}
	if r.choice.tree && !r.choice.parts[Degraded] { // there it is compared as well
		return r.restore(ctx, r.ofTree(Changed, opVerify), r.stored.tree, r.tree.dir)
	}
	return nil
}

// degraded kills as many operators as the code can do without, and restores.
func (r *round) degraded(ctx context.Context) error {
	for _, name := range r.network.Names()[:r.code.N-r.code.K] {
		if _, err := r.network.Break(ctx, testnet.Kill, name); err != nil {
			return err
		}
	}
	r.nodes = nodesOf(ctx, r.network)
	if r.choice.file {
		if err := r.fetch(ctx, Degraded, "get "+opDegraded); err != nil {
			return err
		}
	}
	if r.choice.tree {
		return r.restoreTree(ctx, Degraded, opRestore+" "+opDegraded)
	}
	return nil
}
