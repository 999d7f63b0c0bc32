package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"holdfast/testnet"
)

// ErrBroken says that a promise was broken: what was acknowledged did not come back,
// or something is visible that is not whole.
var ErrBroken = errors.New("a promise was broken")

// World is a network with one merchant on it, and a copy of whatever was acknowledged
// to him.
type World struct {
	Net     *testnet.Network
	Machine Machine
	Tree    *Tree
	Kit     string // file

	dir    string
	copies int      // made so far
	kept   []kept   // acknowledged, oldest first
	open   []string // copies of what was begun since, and not acknowledged
	most   int      // copies to keep at most
}

// kept is an acknowledged snapshot.
type kept struct {
	id   string
	copy string // of the tree; empty if it was given up to save space
}

// Config says what a world is like.
type Config struct {
	Dir     string         // empty or absent
	Network testnet.Config // of real processes; where it has a clock, in this one
	Code    string         // of the vault, as 4/8; empty for what the operators give
	Create  []string       // more arguments of vault create
	Seed    uint64         // of the tree
	Copies  int            // acknowledged trees to keep a copy of; 0 for 12

	// Before is called when the network is up, and there is no vault yet; may be nil.
	Before func(ctx context.Context, n *testnet.Network) error
}

const vaultName = "shop"

// NewWorld starts a network in the folder, and makes a vault and a tree. The caller
// calls Close.
func NewWorld(ctx context.Context, c Config) (*World, error) {
	w := &World{dir: c.Dir, most: c.Copies, Kit: filepath.Join(c.Dir, "kit")}
	if w.most == 0 {
		w.most = 12
	}
	c.Network.Dir = filepath.Join(c.Dir, "net")
	var err error
	if w.Tree, err = NewTree(filepath.Join(c.Dir, "tree"), c.Seed); err != nil {
		return nil, err
	}
	up := testnet.Up
	if c.Network.Clock != nil {
		up = testnet.InProcess
	}
	if w.Net, err = up(ctx, c.Network); err != nil {
		return nil, err
	}
	w.Machine = Machine{Program: c.Network.Program, Dir: filepath.Join(c.Dir, "machine")}
	if c.Before != nil {
		err = c.Before(ctx, w.Net)
	}
	if err == nil {
		err = w.create(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) create(ctx context.Context, c Config) error {
	args := []string{"vault", "create", vaultName, "--bootstrap", w.Net.BootstrapFile(), "--kit", w.Kit, "--yes"}
	if c.Code != "" {
		args = append(args, "--code", c.Code)
	}
	args = append(args, c.Create...)
	r, err := w.Machine.Run(ctx, args...)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("create vault: %v", r)
	}
	return err
}

// Close ends the network. The folder stays.
func (w *World) Close() error { return w.Net.Down(context.Background()) }

// Freeze keeps a copy of the tree as it is now. The tree must not change until the
// backup that follows is over.
func (w *World) freeze() (string, error) {
	w.copies++
	to := filepath.Join(w.dir, "copies", fmt.Sprint(w.copies))
	w.open = append(w.open, to)
	return to, w.Tree.CopyTo(to)
}

// Backup backs up the tree, and notes what was acknowledged. A report that the backup
// failed is no error.
func (w *World) Backup(ctx context.Context, during func(*Running) error) (Report, error) {
	copied, err := w.freeze()
	if err != nil {
		return Report{}, err
	}
	run, err := w.Machine.Start(ctx, Call{Args: []string{"backup", w.Tree.Dir}})
	if err != nil {
		return Report{}, err
	}
	var failed error
	if during != nil {
		failed = during(run)
	}
	r, err := run.Wait()
	if err := errors.Join(failed, err); err != nil {
		return r, err
	}
	if !r.Was(0, 4) {
		return r, nil
	}
	if r.Snapshot == "" {
		return r, fmt.Errorf("%w: a backup without a name: %v", ErrBroken, r)
	}
	w.acknowledge(r.Snapshot, copied)
	return r, nil
}

func (w *World) acknowledge(id, copied string) {
	w.open = slices.DeleteFunc(w.open, func(c string) bool { return c == copied })
	w.kept = append(w.kept, kept{id, copied})
}

// List lists the snapshots: all that were acknowledged are there. One that was not,
// because its run was killed or found too few members and was finished by another,
// must be one of the trees that were begun since; then it counts as acknowledged.
func (w *World) List(ctx context.Context) (Report, error) {
	r, err := w.Machine.Run(ctx, "snapshots")
	if err != nil || r.Code != 0 {
		return r, err
	}
	listed := map[string]bool{}
	for _, s := range r.Listed {
		listed[s.ID] = true
	}
	for _, k := range w.kept {
		if !listed[k.id] {
			return r, fmt.Errorf("%w: snapshot %.8s was acknowledged and is not listed", ErrBroken, k.id)
		}
		delete(listed, k.id)
	}
	for _, s := range r.Listed {
		if !listed[s.ID] || s.Partial {
			continue
		}
		if err := w.adopt(ctx, s.ID); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Settle forgets the trees that were begun and not acknowledged. It is called when a
// later backup has ended well and the list was looked through: nothing of them can
// appear any more.
func (w *World) Settle() error {
	var err error
	for _, c := range w.open {
		err = errors.Join(err, os.RemoveAll(c))
	}
	w.open = nil
	return err
}

// adopt looks for the tree that an unexpected snapshot is of.
func (w *World) adopt(ctx context.Context, id string) error {
	target, err := w.fetch(ctx, id)
	if err != nil {
		return err
	}
	defer os.RemoveAll(target)
	var differs error
	for _, c := range slices.Backward(w.open) {
		if _, err := testnet.Compare(ctx, c, filepath.Join(target, w.Tree.Dir)); err == nil {
			w.acknowledge(id, c)
			return nil
		} else if !errors.Is(err, testnet.ErrDiffers) {
			return err
		} else {
			differs = errors.Join(differs, err)
		}
	}
	return fmt.Errorf("%w: snapshot %.8s is none of the trees that were begun: %w", ErrBroken, id, differs)
}

// fetch restores a snapshot into a new folder.
func (w *World) fetch(ctx context.Context, id string) (target string, err error) {
	target, err = os.MkdirTemp(w.dir, "restored-")
	if err != nil {
		return "", err
	}
	return target, w.fetchInto(ctx, id, target, nil)
}

func (w *World) fetchInto(ctx context.Context, id, target string, during func(*Running) error) error {
	args := []string{"restore", id, "--target", target}
	run, err := w.Machine.Start(ctx, Call{Args: args})
	if err != nil {
		return err
	}
	var failed error
	if during != nil {
		failed = during(run)
	}
	r, err := run.Wait()
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	if r.Was(20, 21) { // out of reach for a moment, as nodes of a busy machine are: the same command goes on
		r, _, err = w.repeat(ctx, func(r Report) bool { return !r.Was(20, 21) }, args...)
	}
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("%w: restore of %.8s: %v", ErrBroken, id, r)
	}
	return err
}

// Restore brings back the i-th acknowledged snapshot and compares it with the copy.
func (w *World) Restore(ctx context.Context, i int, during func(*Running) error) error {
	k := w.kept[i]
	target, err := os.MkdirTemp(w.dir, "restored-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(target)
	if err := w.fetchInto(ctx, k.id, target, during); err != nil {
		return err
	}
	if k.copy == "" {
		return nil
	}
	if _, err := testnet.Compare(ctx, k.copy, filepath.Join(target, w.Tree.Dir)); err != nil {
		return fmt.Errorf("%w: snapshot %.8s: %w", ErrBroken, k.id, err)
	}
	return nil
}

// RestoreAll brings back everything of which there is a copy.
func (w *World) RestoreAll(ctx context.Context) error {
	for i, k := range w.kept {
		if k.copy == "" {
			continue
		}
		if err := w.Restore(ctx, i, nil); err != nil {
			return err
		}
	}
	return nil
}

// Thin gives up copies until there are few enough; pick chooses one of n.
func (w *World) Thin(pick func(n int) int) error {
	for {
		var have []int
		for i, k := range w.kept {
			if k.copy != "" {
				have = append(have, i)
			}
		}
		if len(have) <= w.most {
			return nil
		}
		i := have[pick(len(have))]
		if err := os.RemoveAll(w.kept[i].copy); err != nil {
			return err
		}
		w.kept[i].copy = ""
	}
}
