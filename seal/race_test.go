//go:build race

package seal

// raceDetector: under it a sync.Pool forgets at random, and allocations say nothing.
const raceDetector = true
