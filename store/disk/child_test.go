package disk

// childEnv names what the test binary does instead of testing, when a test has
// started it again.
const childEnv = "HOLDFAST_DISK_TEST_CHILD"

var children = map[string]func(){}
