package snapshot

import (
	"slices"
	"strings"
	"testing"
)

func TestReadList(t *testing.T) {
	got, err := ReadList(strings.NewReader("# a comment\n\n  *.o  \r\n/tmp\n#x\nlast \xff"))
	if want := []string{"*.o", "/tmp", "last \xff"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q (%v)", got, want, err)
	}
}

func TestReadZeroList(t *testing.T) {
	got, err := ReadZeroList(strings.NewReader("/a b\x00#c\n\x00\x00last"))
	if want := []string{"/a b", "#c\n", "last"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q (%v)", got, want, err)
	}
}

func TestReadListLimits(t *testing.T) {
	if _, err := ReadList(strings.NewReader(strings.Repeat("x", maxLine+1))); err == nil {
		t.Error("a line without end was accepted")
	}
}
