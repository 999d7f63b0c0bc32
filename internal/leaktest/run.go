package leaktest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// looks is how often goroutines are looked for. goleak takes nearly half a second over
// each look: on a busy machine a goroutine that has been told to end may not have had
// its turn by then, and net/http lets a closed connection stay for as long, so that its
// last answer is read. What is still there after eight seconds stays.
const looks = 20

// Run runs the tests of a package and returns the exit status: 1 as well if they have
// passed and left goroutines behind, which it then names on standard error.
func Run(m *testing.M) int {
	status := m.Run()
	if status != 0 {
		return status
	}
	var leak error
	for range looks {
		if leak = goleak.Find(); leak == nil {
			return 0
		}
	}
	fmt.Fprintf(os.Stderr, "the tests have passed, and left goroutines behind: %v\n", leak)
	return 1
}
