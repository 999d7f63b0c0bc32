package guardian

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/ledger"
)

// checkName keeps a name on its line.
func checkName(name string) error {
	if name == "" || len(name) > ledger.MaxName || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}
