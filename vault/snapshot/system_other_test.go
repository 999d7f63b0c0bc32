//go:build !linux

package snapshot

import (
	"os"
	"testing"
)

const keepsLinkTimes = false

func probe(testing.TB) abilities { return abilities{} }

func (m *treeMaker) special(path string) { m.check(os.WriteFile(path, nil, 0o600)) }

func (m *treeMaker) own(string) {}

func (m *treeMaker) xattrs(string) {}

func linkKey(os.FileInfo) string { return "" }
