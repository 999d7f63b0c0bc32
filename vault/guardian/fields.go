package guardian

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// fields reads a text file that begins with a magic line and goes on with lines of
// the form "key: value". Each of the wanted keys must be there once. Empty lines and
// lines that begin with # are comments, and other keys are ignored. No error repeats
// a value.
func fields(text []byte, magic string, want ...string) (map[string]string, error) {
	head, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if strings.TrimSpace(head) != magic {
		return nil, fmt.Errorf("it does not begin with %q", magic)
	}
	out := map[string]string{}
	for line := range strings.Lines(rest) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || strings.HasPrefix(key, "#") || !slices.Contains(want, key) {
			continue
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("two lines %q", key)
		}
		out[key] = strings.TrimSpace(value)
	}
	for _, key := range want {
		if out[key] == "" {
			return nil, fmt.Errorf("no line %q", key)
		}
	}
	return out, nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(p)) > limit {
		err = errors.New(path + " is too long")
	}
	return p, err
}
