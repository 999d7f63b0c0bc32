package snapshot

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/seal"
)

const crashTarget = "HOLDFAST_CRASH_TARGET"

// crashContent is what file i holds.
func crashContent(i int) string {
	return strings.Repeat(fmt.Sprintf("file %d\n", i), 1+i%5*2000)
}

func crashSnapshot(t testing.TB, m *memStore) seal.ChunkID {
	t.Helper()
	var dirs []Node
	for d := range 20 {
		var nodes []Node
		for f := range 20 {
			n := m.file(t, fmt.Sprintf("%02d", f), []byte(crashContent(d*20+f)))
			n.MTime = Time{int64(d), int64(f)}
			nodes = append(nodes, n)
		}
		dirs = append(dirs, Node{Name: fmt.Appendf(nil, "d%02d", d), Type: Dir, Mode: 0o755, Tree: m.tree(t, nodes...)})
	}
	return m.tree(t, dirs...)
}

// TestCrashChild is the process that is killed: it restores, and says what it has
// done.
func TestCrashChild(t *testing.T) {
	target := os.Getenv(crashTarget)
	if target == "" {
		t.Skip("runs as the child of TestRestoreKilled")
	}
	m := newMemStore()
	root := crashSnapshot(t, m)
	restore(t, m, root, "", RestoreOptions{Target: target, Progress: func(e Event) {
		if e.Action == Done && e.Type == File {
			fmt.Println("done", e.Path)
		}
	}})
}

// A restore that is killed leaves no half file under a real name, keeps what it
// said it had done, and goes on where it stopped.
func TestRestoreKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	promised := map[string]bool{}
	for _, after := range []int{1, 60, 150} {
		cmd := exec.Command(exe, "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashTarget+"="+target)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			path, ok := strings.CutPrefix(lines.Text(), "done ")
			if !ok {
				continue
			}
			promised[path] = true
			if n++; n == after {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		checkCrash(t, target, promised)
	}
	m := newMemStore()
	sum := restore(t, m, crashSnapshot(t, m), "", RestoreOptions{Target: target})
	if sum.Skipped < 200 || sum.Files+sum.Skipped != 400 {
		t.Errorf("%+v", sum)
	}
	t.Logf("%d promised, %d found in place", len(promised), sum.Skipped)
}

func checkCrash(t *testing.T, target string, promised map[string]bool) {
	t.Helper()
	for path := range promised {
		if _, err := os.Stat(filepath.Join(target, path)); err != nil {
			t.Errorf("it was promised: %v", err)
		}
	}
	for _, name := range listDir(t, target) {
		var d, f int
		if strings.Contains(name, ".holdfast-") || !strings.Contains(name, "/") {
			continue
		}
		if _, err := fmt.Sscanf(name, "d%02d/%02d", &d, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantFile(t, filepath.Join(target, name), crashContent(d*20+f))
	}
}
