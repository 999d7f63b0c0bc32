package testnet

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/node"
)

func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir, ctx := t.TempDir(), t.Context()
	n, err := Up(ctx, Config{Dir: dir, Nodes: 3, Capacity: 1 << 30, Program: program})
	down(t, n, err)
	wantStates(t, n, nil)

	// Another program takes over.
	other, err := Attach(dir, nil)
	must(t, err)
	wantStates(t, other, nil)
	pids := map[int]bool{}
	for _, s := range other.Status(ctx) {
		if pids[s.PID] || s.PID == os.Getpid() || s.PID != s.Status.PID {
			t.Errorf("%s: process %d, by its own word %d", s.Name, s.PID, s.Status.PID)
		}
		pids[s.PID] = true
	}

	killAndHeal(t, other, "node-1")
	if runtime.GOOS != "windows" {
		stopAndHeal(t, other, "node-2")
	}
	wipeAndHeal(t, other, "node-3")
	fillAndHeal(t, other, "node-3")
	if _, err := other.Break(ctx, Corrupt, "node-1"); err != nil {
		t.Error(err)
	}

	// What is held ends as well.
	if runtime.GOOS != "windows" {
		_, err := n.Break(ctx, Stop, "node-2")
		must(t, err)
	}
	must(t, other.Down(ctx))
	wantStates(t, n, map[string]string{"node-1": StateDead, "node-2": StateDead, "node-3": StateDead})
	for pid := range pids {
		if !processEnded(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func killAndHeal(t *testing.T, n *Network, name string) {
	t.Helper()
	if _, err := n.Break(t.Context(), Kill, name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, map[string]string{name: StateDead})
	if _, err := node.Ask(t.Context(), n.NodeDir(name)); !errors.Is(err, node.ErrNotRunning) {
		t.Error("a killed node:", err)
	}
	if _, err := n.Break(t.Context(), Kill, name); err != nil {
		t.Error("killed twice:", err)
	}
	if _, err := n.Heal(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, nil)
}

func stopAndHeal(t *testing.T, n *Network, name string) {
	t.Helper()
	if _, err := n.Break(t.Context(), Stop, name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, map[string]string{name: StateStopped})
	if _, err := n.Heal(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	wantStates(t, n, nil)
}

// A number that the system has given to another program is not taken for a node, and
// nothing happens to that program.
func TestForeignProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the program")
	}
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o700))
	copied := filepath.Join(dir, programName)
	must(t, copyProgram(program, copied))
	nodeDir := filepath.Join(dir, "nodes", "node-1")
	must(t, os.MkdirAll(nodeDir, 0o700))
	// The same program, with the same first words, for another node.
	cmd := exec.Command(copied, "node", "run", "--dir", nodeDir+"0", "--exit-with-stdin")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, os.MkdirAll(nodeDir+"0", 0o700))
	must(t, initAlone(nodeDir+"0"))
	must(t, cmd.Start())
	defer func() {
		stdin.Close()
		cmd.Wait()
	}()
	until(t, "started", func() bool { _, err := node.Ask(t.Context(), nodeDir+"0"); return err == nil })
	p := newProcesses(copied, false, 1)
	if p.state("node-10", nodeDir+"0").pid != cmd.Process.Pid {
		t.Error("the node's own process is not found")
	}
	for _, pid := range []int{cmd.Process.Pid, os.Getpid(), 1, 0, -1} {
		must(t, os.MkdirAll(filepath.Join(nodeDir, "run"), 0o700))
		must(t, os.WriteFile(filepath.Join(nodeDir, pidName), []byte(strconv.Itoa(pid)), 0o600))
		if r := p.state("node-1", nodeDir); r.pid != 0 {
			t.Errorf("process %d is taken for the node", pid)
		}
		must(t, errors.Join(p.kill(t.Context(), "node-1", nodeDir), p.stop(t.Context(), "node-1", nodeDir)))
		if err := p.freeze("node-1", nodeDir); !errors.Is(err, errNoProcess) {
			t.Error(err)
		}
	}
	if _, err := node.Ask(t.Context(), nodeDir+"0"); err != nil {
		t.Error("the other process was hurt:", err)
	}
}

// initAlone makes a node of a network of its own.
func initAlone(dir string) error {
	key, err := node.GenerateKeyFile(filepath.Join(dir, "operator.key"), node.OperatorKey, "op")
	if err != nil {
		return err
	}
	_, err = node.Init(node.InitConfig{Dir: dir, Operator: key, OperatorName: "op", Now: time.Now, Config: node.Config{
		Network: DefaultNetwork, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Capacity: node.MinCapacity, Admin: node.DefaultAdmin,
	}})
	return err
}

// Attached nodes end when the program that started them does, also by kill -9.
func TestNodesEndWithTheirParent(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := filepath.Join(t.TempDir(), "net")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentEnv+"="+dir, parentEnv+"_PROGRAM="+program)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		t.Errorf("%q, %v", line, err)
	}
	n, err := Attach(dir, nil)
	must(t, err)
	wantStates(t, n, nil)
	must(t, cmd.Process.Kill())
	cmd.Wait()
	until(t, "the nodes end", func() bool { return n.state("node-1").pid == 0 && n.state("node-2").pid == 0 })
	wantStates(t, n, map[string]string{"node-1": StateDead, "node-2": StateDead})
}

// A network that cannot come up leaves nothing running.
func TestUpThatFails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	no, err := exec.LookPath("false")
	if err != nil {
		t.Skip("no program that fails")
	}
	_, err = Up(t.Context(), Config{Dir: dir, Nodes: 2, Program: no})
	if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), logName) {
		t.Error(err)
	}
	if _, err := Up(t.Context(), Config{Dir: filepath.Join(dir, "x"), Nodes: 1, Program: filepath.Join(dir, "not there")}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
