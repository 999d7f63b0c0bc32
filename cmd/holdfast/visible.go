package main

import (
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visibleOn makes texts fit for a person's screen: a file's name may hold bytes that
// move the cursor, change colours or write what the program never said. Where the
// output is not a terminal, names are printed as they are.
func visibleOn(w io.Writer, args []any) []any {
	if !terminal(w) {
		return args
	}
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			out[i] = visible(v)
		case error:
			out[i] = visible(v.Error())
		default:
			out[i] = arg
		}
	}
	return out
}

// visible writes what cannot be seen, or is not text, as Go does in strings.
func visible(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			quoted := strconv.QuoteToASCII(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
