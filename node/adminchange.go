package node

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"holdfast/store/disk"
)

// This file holds the rule of who may change a node by its admin listener.
//
// SPEC: the admin listener is on loopback only. Whoever changes something shows,
// besides, that he can read the node's folder: the key that stands in its run/admin, new
// with every start, and that no answer tells. So neither another user of the machine nor
// a page in a browser changes anything.

// changeTimeout is for changes that open and close volumes.
const changeTimeout = 30 * time.Second

// changeHeader carries the key of run/admin.
const changeHeader = "Holdfast-Change"

// withKey refuses a change by who does not show the key.
func withKey(key string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(changeHeader)), []byte(key)) != 1 {
			http.Error(w, "only for who can read the node's folder", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// refusalHeader names the sentinel that a refusal wraps.
const refusalHeader = "Holdfast-Refusal"

// passed is an error that keeps its meaning on its way through the admin listener.
type passed struct {
	name string
	err  error
}

// passedErrors lists them: the first that an error wraps is what it is.
func passedErrors() []passed {
	return []passed{
		{"no-volume", ErrNoVolume}, {"volume-taken", ErrVolumeTaken}, {"main-volume", ErrMainVolume}, {"volume-holds", ErrVolumeHolds},
		{"volume-away", ErrVolumeAway}, {"volume-there", ErrVolumeThere}, {"nowhere-to-move", ErrNowhereToMove},
		{"volume-exists", disk.ErrVolumeExists}, {"not-empty", ErrNotEmpty}, {"config", ErrConfig},
	}
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	for _, p := range passedErrors() {
		if errors.Is(err, p.err) {
			w.Header().Set(refusalHeader, p.name)
			break
		}
	}
	http.Error(w, err.Error(), http.StatusConflict)
}

// readRefusal is the error that an answer of refuse tells.
func readRefusal(name, text string) error {
	text = strings.TrimSpace(text)
	for _, p := range passedErrors() {
		if p.name == name {
			return passedOn{p.err, text}
		}
	}
	return errors.New(text)
}

// passedOn is what a node that runs has refused, in its words.
type passedOn struct {
	sentinel error
	text     string
}

func (r passedOn) Error() string { return r.text }
func (r passedOn) Unwrap() error { return r.sentinel }

// adminPost sends a change to the node that runs in dir. What it refuses comes back as
// the sentinel that it is.
func adminPost(ctx context.Context, dir, path string, body any) ([]byte, error) {
	at, err := readPlace(dir)
	if err != nil {
		return nil, err
	}
	p, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.Addr+path, bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("ask node: %w", err)
	}
	req.Header.Set(changeHeader, at.Change)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: changeTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, dir, err)
	}
	defer resp.Body.Close()
	if resp.Header.Get(instanceHeader) != at.Instance {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	p, err = io.ReadAll(io.LimitReader(resp.Body, statusLimit))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSilent, dir, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return p, nil
	case http.StatusConflict:
		return nil, readRefusal(resp.Header.Get(refusalHeader), string(p))
	}
	return nil, fmt.Errorf("%w: %s", ErrNotReady, strings.TrimSpace(string(p)))
}
