package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/vault"
	"holdfast/vault/snapshot"
)

// What `backup --metrics-textfile` writes is what docs/ops names, in the form that
// Prometheus reads, whatever a path holds.
func TestBackupMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.prom")
	r := vault.Result{Snapshot: snapshot.Snapshot{Host: "web-01"}}
	if err := writeMetrics(path, vault.Backup{Paths: []string{"/srv/a \"b\"\n\\c", "/srv/\xff"}}, r, 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) )?(holdfast_backup_[a-z_]+)( .*|\{source="web-01:/srv/a \\"b\\"\\n\\\\c /srv/\x{FFFD}"\} [0-9.e+-]+)$`)
	written := map[string]bool{}
	for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("%q", l)
		}
		written[m[3]] = true
	}
	for _, document := range []string{"README.md", "alerts.yml", "grafana.json"} {
		words, err := os.ReadFile(filepath.Join("..", "..", "docs", "ops", document))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`holdfast_backup_[a-z_]+`).FindAllString(string(words), -1) {
			if !written[name] {
				t.Errorf("%s names %s, which is not written", document, name)
			}
		}
	}
	if len(written) != 7 || !strings.Contains(string(text), "holdfast_backup_duration_seconds{") {
		t.Errorf("%v", written)
	}
}
