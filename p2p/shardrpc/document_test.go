package shardrpc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/p2p/shardrpc"
)

// TestDocument: docs/protocol.md, sections 2 and 3, lists the numbers of the table and
// no others.
func TestDocument(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told []uint64
	for _, section := range strings.Split(string(file), "\n## ")[1:] {
		if !strings.HasPrefix(section, "2.") && !strings.HasPrefix(section, "3.") {
			continue
		}
		for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(section, -1) {
			n, err := strconv.ParseUint(row[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, n)
		}
	}
	var have []uint64
	for _, row := range shardrpc.Refusals {
		have = append(have, row.Number)
	}
	if !slices.Equal(told, have) {
		t.Errorf("the document has %v, the table %v", told, have)
	}
}
