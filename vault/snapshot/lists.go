package snapshot

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxLine is the longest line of a list of patterns or paths.
const maxLine = 64 << 10

// ReadList reads patterns or paths, one a line. Empty lines and lines that begin
// with # are left out; spaces around a line too.
func ReadList(r io.Reader) ([]string, error) {
	return readLines(r, bufio.ScanLines, func(s string) string {
		s = strings.TrimSpace(s)
		if strings.HasPrefix(s, "#") {
			return ""
		}
		return s
	})
}

// ReadZeroList reads paths of any bytes, each ended by a zero byte.
func ReadZeroList(r io.Reader) ([]string, error) {
	return readLines(r, scanZero, func(s string) string { return s })
}

func readLines(r io.Reader, split bufio.SplitFunc, clean func(string) string) ([]string, error) {
	var out []string
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	s.Split(split)
	for s.Scan() {
		if line := clean(s.Text()); line != "" {
			out = append(out, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	return out, nil
}

func scanZero(p []byte, end bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		return i + 1, p[:i], nil
	}
	if end && len(p) > 0 {
		return len(p), p, nil
	}
	return 0, nil, nil
}
