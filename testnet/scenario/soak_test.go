package scenario

import (
	"path/filepath"
	"testing"
	"time"
)

// Random faults within n-k, one after another and during backups and restores: what
// was acknowledged always reads back.
func TestSoak(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	duration := 10 * time.Second
	if *long {
		duration = 10 * time.Minute
	}
	done, err := Soak(t.Context(), SoakConfig{
		Dir: filepath.Join(t.TempDir(), "soak"), Program: program, Duration: duration, Seed: newSeed(t), Log: func(text string) { t.Log(text) },
	})
	t.Logf("%+v", done)
	must(t, err)
}
