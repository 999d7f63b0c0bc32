package node

import (
	"bytes"
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"holdfast/ledger/ledgertest"
)

// A node that runs changes its volumes at once, and as it was told after a restart; what
// it refuses is the same error as of one that does not run.
func TestChangeVolumes(t *testing.T) {
	dir := newNode(t, "one")
	two := filepath.Join(t.TempDir(), "two")
	running := false
	wantRefusals := func() {
		t.Helper()
		for want, ch := range map[error]VolumeChange{
			ErrNoVolume:      {Do: VolumeDrain, Name: "three"},
			ErrVolumeTaken:   {Do: VolumeAdd, Name: "two", Path: "/other", Capacity: MinCapacity},
			ErrMainVolume:    {Do: VolumePause, Name: MainVolume},
			ErrVolumeHolds:   {Do: VolumeRemove, Name: "two"},
			ErrVolumeThere:   {Do: VolumeRemove, Name: "two", Lost: true},
			ErrConfig:        {Do: VolumeResize, Name: "two", Capacity: MinCapacity - 1},
			ErrNowhereToMove: {Do: VolumeDrain, Name: MainVolume},
		} {
			if errors.Is(want, ErrNowhereToMove) {
				if _, err := ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumePause, Name: "two"}); err != nil {
					t.Error(err)
				}
			}
			if _, err := ChangeVolume(t.Context(), dir, ch); !errors.Is(err, want) {
				t.Errorf("running %v: %s %s: %v; want %v", running, ch.Do, ch.Name, err, want)
			}
			if errors.Is(want, ErrNowhereToMove) {
				if _, err := ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeResume, Name: "two"}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	_, err := ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeAdd, Name: "two", Path: two, Capacity: MinCapacity})
	must(t, err)
	wantRefusals()
	n := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	running = true
	wantRefusals()
	all, err := ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeResize, Name: "two", Capacity: 2 * MinCapacity})
	if err != nil || len(all) != 2 || all[1].Capacity != 2*MinCapacity || all[1].State != StateServing {
		t.Errorf("%+v, %v", all, err)
	}
	if s := n.Status(t.Context()); s.Capacity != 1<<30+2*MinCapacity || len(s.Volumes) != 2 {
		t.Errorf("offered %d on %d volumes", s.Capacity, len(s.Volumes))
	}
	_, err = ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeDrain, Name: "two"})
	must(t, err)
	n.end()
	running = false
	kept, err := VolumesOf(dir)
	if err != nil || len(kept) != 2 || kept[1].Capacity != 2*MinCapacity || kept[1].State != StateDraining {
		t.Errorf("%+v, %v", kept, err)
	}
	_, err = ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeRemove, Name: "two"})
	must(t, err)
	if kept, err := VolumesOf(dir); err != nil || len(kept) != 1 {
		t.Errorf("%+v, %v", kept, err)
	}
}

// What is changed by hand, or by somebody else, while a volume is changed is not undone.
func TestVolumeChangesMeet(t *testing.T) {
	dir := newNode(t, "one")
	two := filepath.Join(t.TempDir(), "two")
	_, err := ChangeVolume(t.Context(), dir, VolumeChange{Do: VolumeAdd, Name: "two", Path: two, Capacity: MinCapacity})
	must(t, err)
	c, err := ReadConfig(dir)
	must(t, err)
	list := newVolumeList(dir, c)
	_, err = changeConfig(dir, func(c *Config) error { c.Capacity *= 2; return nil })
	must(t, err)
	must(t, builder{dir: dir}.change(list, VolumeChange{Do: VolumeDrain, Name: MainVolume}))
	if kept, err := VolumesOf(dir); err != nil || kept[0].Capacity != 2*c.Capacity || kept[0].State != StateDraining {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := (builder{dir: dir}).change(newVolumeList(dir, c), VolumeChange{Do: VolumeDrain, Name: "two"}); !errors.Is(err, ErrNowhereToMove) {
		t.Error("both at once:", err)
	}
	must(t, builder{dir: dir}.change(list, VolumeChange{Do: VolumeResume, Name: MainVolume}))
	must(t, builder{dir: dir}.change(list, VolumeChange{Do: VolumeDrain, Name: "two"}))
	resumed := builder{dir: dir, empty: func(VolumeConfig) (bool, error) {
		return true, builder{dir: dir}.change(list, VolumeChange{Do: VolumeResume, Name: "two"})
	}}
	if err := resumed.change(list, VolumeChange{Do: VolumeRemove, Name: "two"}); !errors.Is(err, ErrVolumeHolds) {
		t.Error("one that takes shards again:", err)
	}
}

// Whoever cannot read the node's folder changes nothing, though he reaches the listener.
func TestChangeNeedsItsKey(t *testing.T) {
	dir := newNode(t, "one")
	n := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	at, err := readPlace(dir)
	must(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for what, c := range map[string]struct {
		key, host string
		want      int
	}{
		"no key":         {"", at.Addr, http.StatusForbidden},
		"the instance":   {at.Instance, at.Addr, http.StatusForbidden},
		"another host":   {at.Change, "evil.example", http.StatusForbidden},
		"no such volume": {at.Change, at.Addr, http.StatusConflict},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+at.Addr+volumesPath, bytes.NewBufferString(`{"do":"pause","name":"two"}`))
		must(t, err)
		req.Host = c.host
		req.Header.Set(changeHeader, c.key)
		resp, err := client.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d; want %d", what, resp.StatusCode, c.want)
		}
		for name, values := range resp.Header {
			for _, v := range values {
				if v == at.Change {
					t.Errorf("the answer tells the key in %s", name)
				}
			}
		}
	}
	n.end()
}
