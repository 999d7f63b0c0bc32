package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/ledger"
	"holdfast/p2p"
)

// This file holds what an operator can tell a node to be, besides serving: draining, or
// away for a while. It stands in the node's folder, so that a restart changes nothing,
// and a node that does not run can be told as well.

// What keeps an absence from being announced.
var (
	ErrAway   = errors.New("this absence cannot be announced")
	ErrReason = errors.New("this reason cannot be announced")
)

const (
	intentName  = "run/state"
	intentLimit = 4 << 10
)

// intent is the operator's word. The zero value is a node that serves.
type intent struct {
	Draining time.Time `json:"draining,omitzero"` // since when
	Away     absence   `json:"away,omitzero"`
}

// absence is a time in which the node may be down.
type absence struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// announced is what other nodes are told at a time. An absence goes before draining: a
// node that is down can give nothing away.
func (i intent) announced(now time.Time) (p2p.State, time.Time) {
	switch {
	case i.Away.Until.After(now):
		return p2p.Away, i.Away.Until
	case !i.Draining.IsZero():
		return p2p.Draining, time.Time{}
	}
	return p2p.Serving, time.Time{}
}

// state is announced in the words of a node's status.
func (i intent) state(now time.Time) (state, reason string) {
	switch announced, until := i.announced(now); announced {
	case p2p.Away:
		reason = "until " + until.UTC().Format(time.RFC3339)
		if i.Away.Reason != "" {
			reason += ": " + i.Away.Reason
		}
		return StateAway, reason
	case p2p.Draining:
		return StateDraining, "since " + i.Draining.UTC().Format(time.RFC3339)
	}
	return StateServing, ""
}

// readIntent reads the operator's word. A file that is not there says nothing.
func readIntent(path string) (intent, error) {
	var i intent
	text, err := readOptional(path, intentLimit)
	if err != nil || text == nil {
		return i, err
	}
	if err := json.Unmarshal(text, &i); err != nil {
		return intent{}, fmt.Errorf("read %s: %w", path, err)
	}
	return i, nil
}

// Pause announces that the node in dir will be down until a time, at most p2p.MaxAway
// ahead, so that nobody repairs what it holds meanwhile and nothing new goes to it. The
// node itself goes on as long as it runs.
func Pause(dir string, until time.Time, reason string, now time.Time) error {
	switch left := until.Sub(now); {
	case left <= 0:
		return fmt.Errorf("%w: %s is past", ErrAway, until.Format(time.RFC3339))
	case left > p2p.MaxAway:
		return fmt.Errorf("%w: it may be at most %d days; let the node be drained for a longer one", ErrAway, int(p2p.MaxAway.Hours()/24))
	case len(reason) > ledger.MaxReason || !printable(reason):
		return fmt.Errorf("%w: it must be one line of at most %d bytes", ErrReason, ledger.MaxReason)
	}
	return changeIntent(dir, func(i *intent) { i.Away = absence{Since: now.UTC(), Until: until.UTC(), Reason: reason} })
}

// Resume takes an announced absence back.
func Resume(dir string) error {
	return changeIntent(dir, func(i *intent) { i.Away = absence{} })
}

// Drain has the node in dir give away all that it holds, and take nothing new.
func Drain(dir string, now time.Time) error {
	return changeIntent(dir, func(i *intent) {
		if i.Draining.IsZero() {
			i.Draining = now.UTC()
		}
	})
}

// CancelDrain takes Drain back: the node serves again, with what it still has.
func CancelDrain(dir string) error {
	return changeIntent(dir, func(i *intent) { i.Draining = time.Time{} })
}

func changeIntent(dir string, change func(i *intent)) error {
	if _, err := readConfig(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, intentName)
	i, err := readIntent(path)
	if err != nil {
		return fmt.Errorf("change the node's state: %w", err)
	}
	change(&i)
	text, err := json.Marshal(i)
	if err == nil {
		err = atomicfile.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("change the node's state: %w", err)
	}
	return nil
}
