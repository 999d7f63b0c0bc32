package scenario

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/testnet"
)

// guarded is a world whose vault has three guardians, of whom two must approve, and
// whose charter waits for seconds where others wait for days.
type guarded struct {
	*World
	keys []string // of the guardians
}

const coolingOff = 2 * time.Second

func newGuarded(t *testing.T, nodes int, trash time.Duration) guarded {
	t.Helper()
	g := guarded{}
	dir := t.TempDir()
	create := []string{"--cooling-off", coolingOff.String(), "--retention", "0s", "--trash", trash.String(), "--threshold", "2"}
	for _, name := range []string{"anna", "boris", "carla"} {
		key := filepath.Join(dir, name+".key")
		m := Machine{Program: program, Dir: filepath.Join(dir, name)}
		r, err := m.Run(t.Context(), "guardian", "init", "--key", key, "--name", name)
		wantCode(t, r, err, 0)
		g.keys = append(g.keys, key)
		create = append(create, "--guardian", key+".pub")
	}
	g.World = newWorld(t, Config{Network: testnet.Config{Nodes: nodes}, Create: create})
	return g
}

// run runs the program on the merchant's machine and checks how it ends.
func (g guarded) run(t testing.TB, code int, args ...string) Report {
	t.Helper()
	r, err := g.Machine.Run(context.Background(), args...)
	wantCode(t, r, err, code)
	return r
}

// once backs the tree up and returns the snapshot's name.
func (g guarded) once(t testing.TB) string {
	t.Helper()
	return g.complete(t).Snapshot
}

// scrap backs up something that nothing else refers to, and returns the names of the
// snapshots that this took: mostly one.
func (g guarded) scrap(t testing.TB) (names []string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "scrap"), noise(3<<20, 9), 0o600))
	r, _, err := g.repeat(context.Background(), func(r Report) bool {
		if r.Snapshot != "" {
			names = append(names, r.Snapshot)
		}
		return !r.Was(4)
	}, "backup", dir)
	wantCode(t, r, err, 0)
	return names
}

// forget asks for snapshots to be let go of, and returns the request's name.
func (g guarded) forget(t testing.TB, snapshots []string) string {
	t.Helper()
	return g.run(t, 14, append([]string{"forget", "--apply"}, snapshots...)...).Request
}

// until repeats a command until it ends with a code; others that it may end with
// meanwhile are in the list of those allowed.
func (g guarded) until(t testing.TB, code int, meanwhile []int, args ...string) Report {
	t.Helper()
	r, _, err := g.repeat(context.Background(), func(r Report) bool { return !r.Was(meanwhile...) }, args...)
	wantCode(t, r, err, code)
	return r
}

// shards counts the shard files on a node's volume, without those in the trash.
func shards(t testing.TB, n *testnet.Network, node string) (count int) {
	t.Helper()
	root := filepath.Join(n.NodeDir(node), "volume", "shards")
	err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			count++
		}
		return nil // what vanishes meanwhile is gone
	})
	must(t, err)
	return count
}

// The owner's key and one guardian are not enough, whatever they try: nothing goes,
// exit 14 says what is missing, and status tells everybody that somebody tries.
func TestOneAdministratorCannotDelete(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 4, time.Second)
	snap := g.once(t)
	before := shards(t, g.Net, "node-1")
	r := g.run(t, 14, "forget", snap, "--apply", "--phrase-file", g.Kit, "--reason", "mine now")
	request := r.Request
	if request == "" {
		t.Fatal("no request", r)
	}
	g.run(t, 0, "release", "approve", request, "--key", g.keys[0])
	g.run(t, 0, "release", "approve", request, "--key", g.keys[0]) // twice is once
	g.run(t, 13, "release", "approve", request, "--phrase-file", g.Kit)
	for range 2 { // and waiting does not help
		r = g.run(t, 14, "release", "run")
	}
	var said strings.Builder
	status, err := g.Machine.Do(t.Context(), Call{Args: []string{"status"}, Stdout: &said})
	must(t, err)
	if all := said.String() + status.Said; !strings.Contains(all, request[:8]) {
		t.Errorf("status does not tell of the request:\n%s", all)
	}
	if now := shards(t, g.Net, "node-1"); now != before {
		t.Errorf("%d shards of %d are left", now, before)
	}
	must(t, g.RestoreAll(t.Context()))
}

// Two of three approve, the third vetoes: it is over, also when the time has come.
func TestOneVetoIsEnough(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 4, time.Second)
	snap := g.once(t)
	request := g.run(t, 14, "forget", snap, "--apply").Request
	g.run(t, 0, "guardian", "approve", request, "--key", g.keys[0], "--vault", g.vault(t), "--bootstrap", g.Net.BootstrapFile())
	g.run(t, 0, "guardian", "approve", request, "--key", g.keys[1], "--vault", g.vault(t), "--bootstrap", g.Net.BootstrapFile())
	g.run(t, 0, "guardian", "veto", request, "--key", g.keys[2], "--vault", g.vault(t), "--bootstrap", g.Net.BootstrapFile())
	r := g.run(t, 0, "release", "show", request)
	if r.State != "vetoed" {
		t.Errorf("state %q", r.State)
	}
	g.run(t, 14, "release", "run", request)
	must(t, g.RestoreAll(t.Context()))
}

// vault returns the vault's ID, from the kit.
func (g guarded) vault(t testing.TB) string {
	t.Helper()
	return kitLine(t, g.Kit, "vault:")
}

// A release goes through while one member is down: what no snapshot needs goes, from
// all nodes, also from the one that was away; everything else stays.
func TestReleaseWithMemberDown(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 4, time.Second)
	first := g.scrap(t)
	g.once(t)
	full := map[string]int{}
	for _, name := range g.Net.Names() {
		full[name] = shards(t, g.Net, name)
	}
	breakNode(t, g.Net, testnet.Kill, "node-4")
	request := g.forget(t, first)
	g.run(t, 0, "release", "approve", request, "--key", g.keys[0])
	g.run(t, 0, "release", "approve", request, "--key", g.keys[1])
	r := g.until(t, 0, []int{14, 20}, "release", "run", request)
	if r.Segments < 1 {
		t.Fatal("no segment was let go", r)
	}
	for _, name := range []string{"node-1", "node-2", "node-3"} {
		wait(t, name+" lets go", func() bool { return shards(t, g.Net, name) == full[name]-r.Segments })
	}
	if now := shards(t, g.Net, "node-4"); now != full["node-4"] {
		t.Errorf("a node that is down has %d shards of %d", now, full["node-4"])
	}
	heal(t, g.Net, "node-4")
	wait(t, "node-4 catches up", func() bool { return shards(t, g.Net, "node-4") == full["node-4"]-r.Segments })
	listed := g.run(t, 0, "snapshots")
	if len(listed.Listed) != len(g.kept) || slices.ContainsFunc(listed.Listed, func(s Listed) bool { return slices.Contains(first, s.ID) }) {
		t.Errorf("listed: %v", listed.Listed)
	}
	must(t, g.RestoreAll(t.Context()))
	g.run(t, 0, "check", "--read-data")
}

// What was released is taken back while it is in the trash: by a guardian alone.
func TestUndoFromTheTrash(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 4, time.Hour)
	first := g.scrap(t)
	g.once(t)
	full := map[string]int{}
	for _, name := range g.Net.Names() {
		full[name] = shards(t, g.Net, name)
	}
	request := g.forget(t, first)
	g.run(t, 0, "release", "approve", request, "--key", g.keys[0])
	g.run(t, 0, "release", "approve", request, "--key", g.keys[2])
	r := g.until(t, 0, []int{14, 20}, "release", "run", request)
	all := func(less int) func() bool {
		return func() bool {
			for _, name := range g.Net.Names() {
				if shards(t, g.Net, name) != full[name]-less {
					return false
				}
			}
			return true
		}
	}
	if r.Segments < 1 {
		t.Fatal("no segment was let go", r)
	}
	wait(t, "the shards are in the trash", all(r.Segments))
	g.run(t, 0, "release", "undo", request, "--key", g.keys[1])
	wait(t, "the shards are back", all(0))
	must(t, g.RestoreAll(t.Context()))
	if r := g.run(t, 0, "snapshots"); len(r.Listed) != len(first)+len(g.kept) {
		t.Errorf("listed: %v", r.Listed)
	}
}

// kitLine returns what stands behind a word at the start of a line of a kit.
func kitLine(t testing.TB, kit, word string) string {
	t.Helper()
	p, err := os.ReadFile(kit)
	must(t, err)
	for line := range strings.Lines(string(p)) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("%s: no line %q", kit, word)
	return ""
}
