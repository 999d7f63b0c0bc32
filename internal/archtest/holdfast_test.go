package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const (
	module   = "holdfast"
	root     = "../.."
	document = root + "/docs/architecture.md"
)

// systems are those that holdfast is built for; each has files of its own.
var systems = []string{"linux", "darwin", "windows"}

// readAllFolders tells go test that the result depends on every folder of the
// module. What the go command reads is not seen by the test cache.
func readAllFolders(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func eachSystem(t *testing.T, check func(t *testing.T, goos string)) {
	readAllFolders(t)
	for _, goos := range systems {
		t.Run(goos, func(t *testing.T) { check(t, goos) })
	}
}

func graph(t *testing.T, goos string) Graph {
	t.Helper()
	g, err := List(t.Context(), root, goos)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Packages import only what docs/architecture.md allows.
func TestArchitecture(t *testing.T) {
	f, err := os.Open(document)
	if err != nil {
		t.Fatalf("docs/architecture.md must hold a table headed | package | may import |: %v", err)
	}
	defer f.Close()
	table, err := ParseTable(f)
	if err != nil {
		t.Fatalf("docs/architecture.md: %v", err)
	}
	eachSystem(t, func(t *testing.T, goos string) {
		for _, wrong := range graph(t, goos).Check(module, table) {
			t.Error(wrong)
		}
	})
}

// libp2p is known below p2p alone.
func TestLibp2pStaysBelowP2P(t *testing.T) {
	eachSystem(t, func(t *testing.T, goos string) {
		for _, pkg := range graph(t, goos).Importers("github.com/libp2p/", module+"/p2p") {
			t.Errorf("%s imports libp2p", pkg)
		}
	})
}

// A node cannot read what it stores: no code that decrypts is linked into it.
func TestNodeCannotDecrypt(t *testing.T) {
	const node = module + "/node"
	eachSystem(t, func(t *testing.T, goos string) {
		closure, err := Closure(t.Context(), root, goos, node)
		if err != nil {
			t.Fatalf("package %s cannot be listed; does it exist? %v", node, err)
		}
		for _, pkg := range Within(closure, "filippo.io/age", module+"/seal", module+"/vault") {
			t.Errorf("%s needs %s", node, pkg)
		}
	})
}
