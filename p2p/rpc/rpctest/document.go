package rpctest

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
)

// Where a package two levels down finds the document, and its own messages.
var (
	document = filepath.Join("..", "..", "docs", "protocol.md")
	messages = filepath.Join("testdata", "messages.txt")
)

// common is the section with the numbers that every protocol has.
const common = "2"

// Documented fails the test unless a section of the document lists the numbers of a
// protocol's refusals, behind the common ones and in their order, and no others; and, in
// the grammar that stands first in it, the verbs of the protocol's messages in
// testdata/messages.txt and no others.
func Documented(t testing.TB, section string, refusals rpc.Refusals) {
	t.Helper()
	text := read(t, document)
	told := append(numbersIn(t, text, common), numbersIn(t, text, section)...)
	var have []uint64
	for _, row := range refusals {
		have = append(have, row.Number)
	}
	if !slices.Equal(told, have) {
		t.Errorf("the document has the numbers %v, the table %v", told, have)
	}
	verbs := verbsIn(t, text, section)
	if known := verbsOf(t, read(t, messages)); !slices.Equal(verbs, known) {
		t.Errorf("the document has the verbs %v, the messages %v", verbs, known)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// sectionOf returns one section of the document.
func sectionOf(t testing.TB, text, section string) string {
	t.Helper()
	for _, s := range strings.Split(text, "\n## ")[1:] {
		if strings.HasPrefix(s, section+".") {
			return s
		}
	}
	t.Fatalf("the document has no section %s", section)
	return ""
}

// numbered is a row of a table that begins with a number.
var numbered = regexp.MustCompile(`(?m)^\| (\d+) \|`)

// numbersIn returns the numbers with which rows of a section begin.
func numbersIn(t testing.TB, text, section string) (numbers []uint64) {
	t.Helper()
	for _, row := range numbered.FindAllStringSubmatch(sectionOf(t, text, section), -1) {
		n, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// grammar is the rule for a stream: a name, and what may be asked.
var grammar = regexp.MustCompile(`(?m)^    [a-z]+ +=((?: .+\n)+)`)

// verbsIn returns the words of a section's grammar, sorted.
func verbsIn(t testing.TB, text, section string) []string {
	t.Helper()
	rule := grammar.FindStringSubmatch(sectionOf(t, text, section))
	if rule == nil {
		t.Fatalf("section %s has no grammar", section)
	}
	verbs := regexp.MustCompile(`[a-z]+`).FindAllString(rule[1], -1)
	slices.Sort(verbs)
	return verbs
}

// verbsOf returns the verbs of the requests among messages, each once, sorted.
func verbsOf(t testing.TB, file string) (verbs []string) {
	t.Helper()
	for line := range strings.Lines(file) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		p, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var request struct {
			Op string `cbor:"op"`
		}
		// What is no map is what follows a frame.
		if wire.Decode(p, &request) == nil && request.Op != "" {
			verbs = append(verbs, request.Op)
		}
	}
	slices.Sort(verbs)
	return slices.Compact(verbs)
}
