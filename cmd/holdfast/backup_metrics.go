package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/vault"
)

// writeMetrics writes what a backup has done for a textfile collector of Prometheus,
// whole or not at all. It is written only when there is a snapshot: so the time in it
// grows old when backups fail.
func writeMetrics(path string, b vault.Backup, r vault.Result, took time.Duration) error {
	s := r.Snapshot.Stats
	complete := 0
	if r.Complete() {
		complete = 1
	}
	var out strings.Builder
	for _, m := range []struct {
		name, help string
		value      any
	}{
		{"last_success_timestamp_seconds", "When the newest snapshot of this source was finished.", r.Snapshot.End.Time().Unix()},
		{"duration_seconds", "How long it took.", took.Seconds()},
		{"files", "Files in it.", s.Files},
		{"bytes", "Bytes of its files.", s.Bytes},
		{"added_bytes", "Bytes that were not stored before.", s.Added},
		{"unread_files", "Sources that could not be read.", s.Unread},
		{"complete", "1 if every segment has all its shards and every member the certificate.", complete},
	} {
		name := "holdfast_backup_" + m.name
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s gauge\n%s{source=\"%s\"} %v\n", name, m.help, name, name, sourceLabel(b, r), m.value)
	}
	return atomicfile.WriteFile(path, []byte(out.String()), 0o644)
}

// sourceLabel names what was backed up, as a label's value: the host, and the paths or
// the stream.
func sourceLabel(b vault.Backup, r vault.Result) string {
	what := strings.Join(b.Paths, " ")
	if b.Stream != nil {
		what = b.Name
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	return escape.Replace(strings.ToValidUTF8(r.Snapshot.Host+":"+what, "\uFFFD"))
}
