// Package leaktest knows when the tests of a package have left nothing running: it
// wraps go.uber.org/goleak with more patience than that has by itself. It knows
// nothing of what it looks at.
package leaktest
