package leaktest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childEnv tells this program, started again by its test, how long the goroutine lives
// that its only test leaves behind.
const childEnv = "HOLDFAST_LEAKTEST_LIFE"

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func TestChild(t *testing.T) {
	life, err := time.ParseDuration(os.Getenv(childEnv))
	if err != nil {
		t.Skip("this is no child")
	}
	go time.Sleep(life)
}

// A goroutine that ends late is no leak, one that stays is, and is named.
func TestLeaks(t *testing.T) {
	for life, leaks := range map[string]bool{"0s": false, "700ms": false, "1h": true} {
		t.Run(life, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0], "-test.run=^TestChild$")
			child.Env = append(os.Environ(), childEnv+"="+life)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if leaks != (errors.As(err, &exit) && exit.ExitCode() == 1) || leaks != strings.Contains(string(out), "TestChild") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
