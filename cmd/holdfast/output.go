package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// jsonVersion is the `v` of every JSON line. Lines only ever gain fields.
const jsonVersion = 1

// printf writes a result. Nothing but results goes to standard output.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.out, format, visibleOn(a.out, args)...)
}

// say writes a status line for a person, unless none is wanted.
func (a *app) say(format string, args ...any) {
	if !a.quiet && !a.json {
		fmt.Fprintf(a.err, "holdfast: "+format+"\n", visibleOn(a.err, args)...)
	}
}

// warn writes what a person should know although the command goes on.
func (a *app) warn(format string, args ...any) {
	if a.json {
		a.emitErr(map[string]any{"message_type": "warning", "message": fmt.Sprintf(format, args...)})
		return
	}
	fmt.Fprintf(a.err, "warning: %s\n", visibleOn(a.err, []any{cut(oneLine(fmt.Sprintf(format, args...)), 400)})...)
}

// emit writes one JSON line to standard output.
func (a *app) emit(fields map[string]any) { a.line(a.out, fields) }

func (a *app) emitErr(fields map[string]any) { a.line(a.err, fields) }

func (a *app) line(w interface{ Write([]byte) (int, error) }, fields map[string]any) {
	fields["v"] = jsonVersion
	p, err := json.Marshal(fields)
	if err != nil {
		p = []byte(`{"v":1,"message_type":"exit_error","message":"a line could not be encoded"}`)
	}
	w.Write(append(p, '\n'))
}

// fail says what went wrong in two lines, and returns the exit code.
func (a *app) fail(err error) int {
	e := explain(err)
	if a.reported {
		return e.exit.code
	}
	if a.json {
		a.emitErr(map[string]any{
			"message_type": "exit_error", "code": e.exit.code, "message": e.message,
			"error": map[string]any{"code": e.exit.name, "class": e.exit.class, "hint": e.hint, "message": e.message},
		})
		return e.exit.code
	}
	fmt.Fprintf(a.err, "error: %s\n", visibleOn(a.err, []any{cut(oneLine(e.message), 400)})...)
	fmt.Fprintf(a.err, "hint: %s\n", visibleOn(a.err, []any{oneLine(e.hint)})...)
	return e.exit.code
}

// oneLine joins the lines of what the libraries below say.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// cut shortens what the libraries below say to what a person reads; --json has it all.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " ..."
}
