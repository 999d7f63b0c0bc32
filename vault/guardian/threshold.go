package guardian

import "fmt"

// Majority returns the threshold for a number of guardians where nobody says
// another: more than half, and never one alone.
func Majority(guardians int) int { return max(2, guardians/2+1) }

// CheckThreshold says whether m of so many guardians may be what it takes. One alone
// never is: then losing one key would be losing the vault to whoever finds it.
func CheckThreshold(m, guardians int) error {
	if m < 2 || m > guardians {
		return fmt.Errorf("%w: %d of %d", ErrThreshold, m, guardians)
	}
	return nil
}
