package web

import (
	"testing"

	"go.uber.org/goleak"
)

// A connection that is closed stays for half a second, so that its last answer is read:
// net/http does not wait for that.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
