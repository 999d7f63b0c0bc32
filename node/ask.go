package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// What Ask can find instead of an answer.
var (
	// ErrNotRunning says that no node runs in a folder.
	ErrNotRunning = errors.New("no node runs in this folder")
	// ErrSilent says that a node runs and does not answer.
	ErrSilent = errors.New("the node does not answer")
	// ErrNotReady says that a node runs and cannot serve.
	ErrNotReady = errors.New("the node is not ready")
)

const (
	adminName   = "run/admin"
	adminLimit  = 4 << 10
	statusLimit = 16 << 20
	askTimeout  = 5 * time.Second

	doctorTimeout = time.Minute
)

// place is the content of run/admin: how a node that runs is reached. A node that
// was killed leaves it behind, and its port may since belong to another program, or
// to another node: so the instance has to come back with every answer.
type place struct {
	Addr     string `json:"addr"`
	Instance string `json:"instance"`
	Change   string `json:"change"` // the key that a change has to show: see adminchange.go
	PID      int    `json:"pid"`
}

func (p place) encode() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		return nil // no input can be the cause
	}
	return append(text, '\n')
}

func readPlace(dir string) (p place, err error) {
	text, err := readSmall(filepath.Join(dir, adminName), adminLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return p, fmt.Errorf("read admin address: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("read admin address: %w", err)
	}
	return p, checkAdmin(p.Addr)
}

// PID returns the process that last ran the node in dir, 0 if it has ended as it
// should. It may have been killed: its number may belong to another program by now.
func PID(dir string) int {
	p, err := readPlace(dir)
	if err != nil {
		return 0
	}
	return p.PID
}

// AdminAddr returns the address of the admin listener of the node that runs in dir.
func AdminAddr(dir string) (string, error) {
	p, err := readPlace(dir)
	return p.Addr, err
}

// checkAdmin refuses an admin listener that others could reach.
func checkAdmin(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: admin: %v", ErrConfig, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: admin must be a loopback address, not %s", ErrConfig, host)
	}
	return nil
}

// Ask fetches the status of the node that runs in dir.
func Ask(ctx context.Context, dir string) (Status, error) {
	var s Status
	p, err := adminGet(ctx, dir, "/status")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(p, &s); err != nil {
		return s, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}

// Ready returns nil if the node that runs in dir answers that it is ready.
func Ready(ctx context.Context, dir string) error {
	_, err := adminGet(ctx, dir, "/readyz")
	return err
}

// CanStop asks the node that runs in dir whether it can be stopped now.
func CanStop(ctx context.Context, dir string) (StopReport, error) {
	var report StopReport
	p, err := adminGetWithin(ctx, dir, "/can-stop", doctorTimeout)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(p, &report); err != nil {
		return report, fmt.Errorf("read answer: %w", err)
	}
	return report, nil
}

// Doctor has the node that runs in dir examined.
func Doctor(ctx context.Context, dir string) ([]Finding, error) {
	p, err := adminGetWithin(ctx, dir, "/doctor", doctorTimeout)
	if err != nil {
		return nil, err
	}
	var found []Finding
	if err := json.Unmarshal(p, &found); err != nil {
		return nil, fmt.Errorf("read examination: %w", err)
	}
	return found, nil
}

func adminGet(ctx context.Context, dir, path string) ([]byte, error) {
	return adminGetWithin(ctx, dir, path, askTimeout)
}

func adminGetWithin(ctx context.Context, dir, path string, within time.Duration) ([]byte, error) {
	at, err := readPlace(dir)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Addr+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask node: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: within}
	resp, err := client.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, dir, err)
	}
	defer resp.Body.Close()
	if resp.Header.Get(instanceHeader) != at.Instance {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	p, err := io.ReadAll(io.LimitReader(resp.Body, statusLimit))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSilent, dir, err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPreconditionFailed {
		return nil, fmt.Errorf("%w: %s", ErrNotReady, strings.TrimSpace(string(p)))
	}
	return p, nil
}

// noAnswer tells a node that is gone from one that is held or overloaded.
func noAnswer(ctx context.Context, dir string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask node: %w", ctx.Err())
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" && !op.Timeout() {
		return fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	return fmt.Errorf("%w: %s: %w", ErrSilent, dir, err)
}

// awaitEvery is how often Await asks.
const awaitEvery = 100 * time.Millisecond

// Await waits until the status of the node that runs in dir is as wanted, or an error
// says that it is not within a time: ErrNotRunning at once if no node runs there.
func Await(ctx context.Context, dir string, within time.Duration, wanted func(s Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		s, err := Ask(ctx, dir)
		if err == nil && wanted(s) || errors.Is(err, ErrNotRunning) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}
