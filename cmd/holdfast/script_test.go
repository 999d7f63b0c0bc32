package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test program be the shipped one, under its name: scripts run
// it, and so do the test networks that they start.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestScripts runs testdata/script. Besides the usual commands there are
//
//	defer PROGRAM ARG...         runs it when the script has ended, however it ends
//	code NUMBER PROGRAM ARG...   runs it and expects this exit code
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOLDFAST_HOME", e.WorkDir+"/home")
			e.Setenv("HOLDFAST_CACHE", e.WorkDir+"/cache")
			return nil
		},
		Cmds:               map[string]func(ts *testscript.TestScript, neg bool, args []string){"defer": runAtEnd, "code": expectCode},
		RequireUniqueNames: true,
	})
}

func runAtEnd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: defer PROGRAM ARG...")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOLDFAST_HOME="+ts.Getenv("HOLDFAST_HOME"), "HOLDFAST_CACHE="+ts.Getenv("HOLDFAST_CACHE"))
	ts.Defer(func() {
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Logf("%v: %v: %s", args, err, out)
		}
	})
}

func expectCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code NUMBER PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}
