package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The unit of docs/ops starts a verb that there is, is one that systemd takes, and keeps
// its exposure low. Where systemd is not installed only the first is looked at.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ops", "holdfast-node.service"))
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/local/bin/holdfast"
	if !strings.Contains(string(text), "\nExecStart="+program+" node run --dir /srv/holdfast\n") {
		t.Error("the unit starts something else")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "holdfast-node.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "="+program, "="+self)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", unit}, {"security", "--offline=true", "--threshold=20", "--no-pager", unit}} {
		if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
