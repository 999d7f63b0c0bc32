package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"holdfast/vault"
)

// TestExitTable holds the table of the program against the one in the documents.
func TestExitTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(doc)) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 6 && strings.TrimSpace(cells[1]) != "code" && !strings.Contains(cells[1], "-") {
			rows = append(rows, strings.Join(strings.Fields(line), " "))
		}
	}
	var want []string
	for _, e := range exits() {
		class := e.class
		if class == "" {
			class = "-"
		}
		want = append(want, fmt.Sprintf("| %d | %s | %s | %s |", e.code, e.name, class, e.text))
	}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("docs/exit-codes.md has\n%s\nand the program\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

func TestExitsDiffer(t *testing.T) {
	codes, names := map[int]bool{}, map[string]bool{}
	for _, e := range exits() {
		if codes[e.code] || names[e.name] {
			t.Errorf("%d %s stands twice", e.code, e.name)
		}
		codes[e.code], names[e.name] = true, true
	}
}

// TestEveryCauseHasAHint: an error is two lines, what happened and what to do.
func TestEveryCauseHasAHint(t *testing.T) {
	for _, c := range causes() {
		if c.hint == "" || strings.HasSuffix(c.hint, ".") || strings.ToLower(c.hint[:1]) != c.hint[:1] {
			t.Errorf("%v: hint %q", c.err, c.hint)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exit
	}{
		{fmt.Errorf("open vault: %w", vault.ErrNoVault), exitNoVault},
		{fmt.Errorf("x: %w", fmt.Errorf("y: %w", vault.ErrWrongWords)), exitWrongPhrase},
		{usagef("no"), exitUsage},
		{fmt.Errorf("open index: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), exitFull},
		{fmt.Errorf("open index: %w", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}), exitFailed},
		{errors.New("anything else"), exitFailed},
		{interrupted{errors.New("x")}, exitInterrupted},
		{withHint(vault.ErrNoVault, exitUnread, "hint"), exitUnread},
	} {
		if got := explain(c.err); got.exit != c.want || got.hint == "" {
			t.Errorf("%v: exit %d, hint %q", c.err, got.exit.code, got.hint)
		}
	}
}

// An interruption that leaves something going on says so.
func TestInterruptionWithHint(t *testing.T) {
	if got := explain(interrupted{withHint(errors.New("x"), exitFailed, "it goes on")}); got.exit != exitInterrupted || got.message != "interrupted" || got.hint != "it goes on" {
		t.Errorf("%+v", got)
	}
}

// TestErrorIsTwoLines, whatever its text.
func TestErrorIsTwoLines(t *testing.T) {
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs}
	if code := a.fail(fmt.Errorf("one\ntwo: %w", vault.ErrNoVault)); code != exitNoVault.code {
		t.Errorf("exit %d", code)
	}
	lines := strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "error: ") || !strings.HasPrefix(lines[1], "hint: ") || out.Len() != 0 {
		t.Errorf("%q on standard error, %q on standard output", errs.String(), out.String())
	}
}
