package main

import (
	"bytes"
	"errors"
	"testing"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain/Größe/日本":            "plain/Größe/日本",
		"":                          "",
		"a\x1b[31mred":              `a\x1b[31mred`,
		"two\nlines\ttab":           `two\nlines\ttab`,
		"\u202etxt.exe":             `\u202etxt.exe`,
		"not\xffutf8\xc3":           `not\xffutf8\xc3`,
		"csi \u009b31m and \x7f":    `csi \u009b31m and \x7f`,
		"quote \" and backslash \\": "quote \" and backslash \\",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q is shown as %q, not %q", in, got, want)
		}
	}
}

// What is piped is not changed: the next program wants the names as they are.
func TestVisibleOnlyOnTerminals(t *testing.T) {
	args := []any{"a\x1bb", errors.New("c\x1bd"), 7}
	for i, got := range visibleOn(new(bytes.Buffer), args) {
		if got != args[i] {
			t.Errorf("argument %d became %v", i, got)
		}
	}
}
