package snapshot

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// cacheTag is the first line of a CACHEDIR.TAG (bford.info/cachedir).
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55"

// tagRule leaves out what is in a directory beside a file of that name.
type tagRule struct {
	name   string
	header []byte // the file must begin with this
}

func tagRules(o ArchiveOptions) ([]tagRule, error) {
	var rules []tagRule
	for _, s := range o.ExcludeIfPresent {
		name, header, _ := strings.Cut(s, ":")
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return nil, fmt.Errorf("%w: %q names no file", ErrPattern, s)
		}
		rules = append(rules, tagRule{name, []byte(header)})
	}
	if o.ExcludeCaches {
		rules = append(rules, tagRule{"CACHEDIR.TAG", []byte(cacheTag)})
	}
	return rules, nil
}

// tagIn returns the name of the file, if any, beside which all is left out.
func (r *archiving) tagIn(f *folder) (name string, found bool) {
	for _, t := range r.tags {
		if t.in(f) {
			return t.name, true
		}
	}
	return "", false
}

func (t tagRule) in(f *folder) bool {
	info, err := f.lstat(t.name)
	if err != nil {
		return false
	}
	if len(t.header) == 0 {
		return true
	}
	if !info.Mode().IsRegular() {
		return false
	}
	file, err := f.open(t.name)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, len(t.header))
	_, err = io.ReadFull(file, head)
	return err == nil && bytes.Equal(head, t.header)
}
