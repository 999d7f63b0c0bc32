package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/vault"
)

// The sources are walked for the bar's sake only when the backup takes long enough
// for somebody to look at it.
func TestScan(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), make([]byte, 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		app    app
		backup vault.Backup
		wait   time.Duration
		want   int64
	}{
		"a program, at once":  {app{json: true}, vault.Backup{Paths: []string{dir}}, 900 * time.Millisecond, 0},
		"a program, later":    {app{json: true}, vault.Backup{Paths: []string{dir}}, 1100 * time.Millisecond, 1000},
		"a pipe, at once":     {app{}, vault.Backup{Paths: []string{dir}}, 14 * time.Second, 0},
		"a pipe, later":       {app{}, vault.Backup{Paths: []string{dir}}, 16 * time.Second, 1000},
		"nobody wants to see": {app{quiet: true}, vault.Backup{Paths: []string{dir}}, time.Hour, 0},
		"a stream":            {app{json: true}, vault.Backup{Stream: new(bytes.Buffer)}, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.app.err = new(bytes.Buffer)
				total, stop := c.app.scan(t.Context(), c.backup)
				time.Sleep(c.wait)
				synctest.Wait()
				if got := total(); got != c.want {
					t.Errorf("%d bytes after %v, not %d", got, c.wait, c.want)
				}
				stop()
			})
		})
	}
}
