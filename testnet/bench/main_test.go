package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/internal/leaktest"
)

// program is the shipped program, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bench-program-")
	if err == nil {
		program = filepath.Join(dir, "holdfast")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build holdfast:", err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	status := leaktest.Run(m)
	os.RemoveAll(dir)
	os.Exit(status)
}

func build(to string) error {
	out, err := exec.Command("go", "build", "-o", to, "holdfast/cmd/holdfast").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
