package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/node"
)

const (
	logName   = "node.log"
	pidName   = "run/pid"
	stopLimit = time.Minute
)

var errNoProcess = errors.New("no process of this node runs")

// processes runs each node as a process of the program's own copy.
type processes struct {
	program  string
	attached bool
	nodes    int                    // that share this machine
	side     func(name string) side // where a node's process is started

	mu       sync.Mutex
	children map[string]*child
}

// child is a process that this one started and waits for.
type child struct {
	cmd  *exec.Cmd
	hold io.Closer // its standard input, for as long as it shall run; nil if detached
	done chan struct{}
}

func newProcesses(program string, attached bool, nodes int) *processes {
	return &processes{program: program, attached: attached, nodes: nodes, children: map[string]*child{}, side: func(string) side { return here }}
}

// fairShare tells the scheduler of each of some programs which share this machine to
// use its part of the cores, and one at least: all of them would wake threads for all
// cores, and spend their time with that. What the environment says stands.
func fairShare(env []string, programs int) []string {
	if os.Getenv("GOMAXPROCS") != "" {
		return env
	}
	return append(env, fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/max(1, programs))))
}

func (p *processes) start(_ context.Context, name, dir string) error {
	if p.state(name, dir).pid != 0 {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := &child{cmd: exec.Command(p.program, runArgs(dir)...), done: make(chan struct{})}
	c.cmd.SysProcAttr = ownGroup()
	c.cmd.Env = fairShare(os.Environ(), p.nodes)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if p.attached {
		c.cmd.Args = append(c.cmd.Args, "--exit-with-stdin")
		if c.hold, err = c.cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := p.side(name)(c.cmd.Start); err != nil {
		return err
	}
	p.mu.Lock()
	p.children[name] = c
	p.mu.Unlock()
	go func() { // ends with the process; one that is detached may outlive this program
		defer close(c.done)
		_ = c.cmd.Wait() // how it ended is in its log
	}()
	return writePID(dir, c.cmd.Process.Pid)
}

// runArgs is the command line by which a node's process is known again.
func runArgs(dir string) []string { return []string{"node", "run", "--dir", dir} }

func writePID(dir string, pid int) error {
	path := filepath.Join(dir, pidName)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strconv.Itoa(pid)+"\n"), 0o600)
}

// pids are the processes that may be the node's: the one that was started here, the
// one that whoever started it wrote down, and the one that the node wrote down itself.
func pids(dir string) []int {
	var list []int
	if text, err := os.ReadFile(filepath.Join(dir, pidName)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			list = append(list, pid)
		}
	}
	return append(list, node.PID(dir))
}

func (p *processes) child(name string) *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.children[name]
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return nil
	default:
		return c
	}
}

// state finds the node's process. A number that the system has since given to
// another program, or to another node, is not taken for it.
func (p *processes) state(name, dir string) running {
	if c := p.child(name); c != nil {
		pid := c.cmd.Process.Pid
		return running{pid, processStopped(pid)}
	}
	for _, pid := range pids(dir) {
		if pid > 1 && processRuns(pid, p.program, runArgs(dir)) {
			return running{pid, processStopped(pid)}
		}
	}
	return running{}
}

func (p *processes) kill(ctx context.Context, name, dir string) error {
	pid := p.state(name, dir).pid
	if pid == 0 {
		return nil
	}
	if err := killProcess(pid); err != nil && !processEnded(pid) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	return p.awaitEnd(ctx, name, pid)
}

func (p *processes) stop(ctx context.Context, name, dir string) error {
	r := p.state(name, dir)
	switch {
	case r.pid == 0:
		return nil
	case r.frozen:
		return p.kill(ctx, name, dir)
	}
	if err := endProcess(r.pid); err != nil && !processEnded(r.pid) {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	if err := p.awaitEnd(ctx, name, r.pid); err != nil {
		return errors.Join(err, p.kill(context.WithoutCancel(ctx), name, dir))
	}
	return nil
}

// awaitEnd waits until a node's process is gone, and with it all that it held.
func (p *processes) awaitEnd(ctx context.Context, name string, pid int) error {
	if c := p.child(name); c != nil && c.cmd.Process.Pid == pid {
		return within(ctx, name, func() bool { return p.child(name) == nil })
	}
	return within(ctx, name, func() bool { return processEnded(pid) })
}

func (p *processes) freeze(name, dir string) error { return p.signal(name, dir, stopProcess, true) }
func (p *processes) thaw(name, dir string) error   { return p.signal(name, dir, continueProcess, false) }

// signal sends a signal and waits until it has had its effect.
func (p *processes) signal(name, dir string, send func(pid int) error, frozen bool) error {
	pid := p.state(name, dir).pid
	if pid == 0 {
		return fmt.Errorf("%s: %w", name, errNoProcess)
	}
	if err := send(pid); err != nil {
		return err
	}
	return within(context.Background(), name, func() bool { return processEnded(pid) || processStopped(pid) == frozen })
}

// within waits for a condition.
func within(ctx context.Context, name string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the process of %s: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
